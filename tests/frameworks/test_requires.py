"""`requires` and `step_up_url` in each framework, and on their way a query that comes back."""

import asyncio
from collections.abc import Callable
from typing import Any

import flask
import litestar
import litestar.testing
import quart
from aiohttp import web
from aiohttp.test_utils import TestClient as AiohttpClient
from aiohttp.test_utils import TestServer as AiohttpServer
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import path

from coatcheck import BlockingSessions, MemoryStore, Sessions
from coatcheck.testing import log_in, log_in_async
from coatcheck.web import aiohttp as aiohttp_web
from coatcheck.web import django as django_web
from coatcheck.web import flask as flask_web
from coatcheck.web import litestar as litestar_web
from coatcheck.web import quart as quart_web
from coatcheck.web import wsgi
from tests.frameworks.django_site import Browser, site

CHALLENGE = 'Cookie error="insufficient_user_authentication", acr_values="aal2", max_age="300"'
PAGE = {"Sec-Fetch-Mode": "navigate"}
SECRET = "/secret?a=1&b=2"
AWAY = "/step-up?next=/secret%3Fa%3D1%26b%3D2"
SEEN = [(401, None), (401, CHALLENGE), (303, AWAY), (200, "secret")]
"""A visitor, a password alone, that as a page, and a second factor."""


def seen(status: int, headers: Any, body: str) -> tuple[int, str | None]:
    said = headers.get("WWW-Authenticate") or headers.get("Location")
    return status, body if status == 200 else said


def visit(
    get: Callable[[dict[str, str]], tuple[int, Any, str]], log_in: Callable[[int], object]
) -> Any:
    came = [seen(*get({}))]
    log_in(1)
    came += [seen(*get({})), seen(*get(PAGE))]
    log_in(2)
    return [*came, seen(*get({}))]


async def avisit(get: Any, log_in: Any) -> Any:
    came = [seen(*await get({}))]
    await log_in(1)
    came += [seen(*await get({})), seen(*await get(PAGE))]
    await log_in(2)
    return [*came, seen(*await get({}))]


def flask_app(sessions: BlockingSessions) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config["PREFERRED_URL_SCHEME"] = "https"
    flask_web.SessionInterface(app, sessions, step_up_url="/step-up")
    return app


def test_flask() -> None:
    sessions = BlockingSessions(MemoryStore())
    app = flask_app(sessions)

    @app.get("/secret")
    @flask_web.requires(level=2, max_age="5m")
    def secret() -> str:  # pyright: ignore[reportUnusedFunction]
        return "secret"

    client = app.test_client()

    def get(headers: dict[str, str]) -> tuple[int, Any, str]:
        reply = client.get(SECRET, headers=headers)
        return reply.status_code, reply.headers, reply.text

    assert visit(get, lambda level: log_in(client, sessions, "alice", assurance=level)) == SEEN


def test_wsgi() -> None:
    """It has no routes to decorate: `session.require` is all there is to it."""
    sessions = BlockingSessions(MemoryStore())

    def app(environ: Any, start: Any) -> list[bytes]:
        wsgi.session_of(environ).require(level=2, max_age="5m")
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"secret"]

    from werkzeug.test import Client  # noqa: PLC0415 - of Flask's own making

    inner: Any = wsgi.SessionMiddleware(app, sessions=sessions, step_up_url="/step-up")
    client, cookie = Client(inner, use_cookies=False), dict[str, str]()

    def get(headers: dict[str, str]) -> tuple[int, Any, str]:
        reply = client.get(SECRET, base_url="https://shop.test", headers={**headers, **cookie})
        return reply.status_code, reply.headers, reply.text

    def log(level: int) -> None:
        known = flask_app(BlockingSessions(MemoryStore())).test_client()
        cookie.update(log_in(known, sessions, "alice", assurance=level))

    assert visit(get, log) == SEEN


@django_web.requires(level=2, max_age="5m")
def django_secret(_: HttpRequest) -> HttpResponse:
    return HttpResponse("secret")


@django_web.requires(level=2, max_age="5m")
async def django_asecret(_: HttpRequest) -> HttpResponse:
    return HttpResponse("secret")


def test_django() -> None:
    sessions = BlockingSessions(MemoryStore())
    options = {"sessions": sessions, "step_up_url": "/step-up"}
    with site(path("secret", django_secret), COATCHECK=options):
        client = Browser()

        def get(headers: dict[str, str]) -> tuple[int, Any, str]:
            reply = client.get(SECRET, headers=headers)
            return reply.status_code, reply.headers, reply.content.decode()

        assert visit(get, lambda level: log_in(client, sessions, "alice", assurance=level)) == SEEN


def test_django_in_an_event_loop() -> None:
    sessions = Sessions(MemoryStore())
    options = {"sessions": sessions, "step_up_url": "/step-up"}

    async def run() -> Any:
        client = AsyncClient()

        async def get(headers: dict[str, str]) -> tuple[int, Any, str]:
            reply = await client.get(SECRET, headers=headers, secure=True)
            return reply.status_code, reply.headers, reply.content.decode()

        async def log(level: int) -> None:
            await log_in_async(client, sessions, "alice", assurance=level)

        return await avisit(get, log)

    with site(path("secret", django_asecret), COATCHECK=options):
        assert asyncio.run(run()) == SEEN


async def test_quart() -> None:
    sessions, app = Sessions(MemoryStore()), quart.Quart(__name__)
    quart_web.SessionInterface(app, sessions, step_up_url="/step-up")

    @app.get("/secret")
    @quart_web.requires(level=2, max_age="5m")
    async def secret() -> str:  # pyright: ignore[reportUnusedFunction]
        return "secret"

    client = app.test_client()

    async def get(headers: dict[str, str]) -> tuple[int, Any, str]:
        reply = await client.get(SECRET, headers=headers, scheme="https")
        return reply.status_code, reply.headers, await reply.get_data(as_text=True)

    async def log(level: int) -> None:
        await log_in_async(client, sessions, "alice", assurance=level)

    assert await avisit(get, log) == SEEN


def test_litestar() -> None:
    sessions = Sessions(MemoryStore())

    @litestar.get("/secret", guards=[litestar_web.requires(level=2, max_age="5m")])
    async def secret() -> str:
        return "secret"

    plugin = litestar_web.SessionPlugin(sessions, step_up_url="/step-up")
    app = litestar.Litestar([secret], plugins=[plugin])
    with litestar.testing.TestClient(app, "https://shop.test") as client:

        def get(headers: dict[str, str]) -> tuple[int, Any, str]:
            reply = client.get(SECRET, headers=headers, follow_redirects=False)
            return reply.status_code, reply.headers, reply.text

        assert visit(get, lambda level: log_in(client, sessions, "alice", assurance=level)) == SEEN


async def test_aiohttp() -> None:
    sessions = Sessions(MemoryStore())

    @aiohttp_web.requires(level=2, max_age="5m")
    async def secret(_: web.Request) -> web.Response:
        return web.Response(text="secret")

    app = web.Application()
    app.add_routes([web.get("/secret", secret)])
    aiohttp_web.setup(app, sessions, development=True, step_up_url="/step-up")
    async with AiohttpClient(AiohttpServer(app)) as client:

        async def get(headers: dict[str, str]) -> tuple[int, Any, str]:
            async with client.get(SECRET, headers=headers, allow_redirects=False) as reply:
                return reply.status, reply.headers, await reply.text()

        async def log(level: int) -> None:
            await log_in_async(client, sessions, "alice", development=True, assurance=level)

        assert await avisit(get, log) == SEEN
