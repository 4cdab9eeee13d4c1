"""`log_in` on the test client of each framework: the application finds the session it made.

Afterwards the token is rotated: were the cookie kept under another domain or path than the
application's own, the client would send both, and they would open nothing.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast

import flask
import httpx
import litestar
import litestar.middleware
import litestar.testing
import pytest
import quart
from aiohttp import web
from aiohttp.test_utils import TestClient as AiohttpClient
from aiohttp.test_utils import TestServer as AiohttpServer
from django.conf import settings
from django.test import Client as DjangoClient
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from coatcheck import BlockingSessions, MemoryStore, Sessions, Token, store_from_url
from coatcheck.core.outcome import Cookies
from coatcheck.errors import ConfigurationError
from coatcheck.testing import log_in, log_in_async
from coatcheck.web import BearerTransport, CookieTransport, Transport
from coatcheck.web.asgi import SessionMiddleware, session_of
from coatcheck.web.flask import SessionInterface
from coatcheck.web.flask import session_of as flask_session_of
from tests.servers import Server

CART = {"cart": {"hat": 1}}
TRANSPORTS = {
    "default": None,
    "named": CookieTransport(name="__Secure-shop", anonymous_name="anon", path="/me"),
    "domain": CookieTransport(name="shop", anonymous_name="anon", domain="shop.example.com"),
}


def fastapi(sessions: Sessions, transport: Transport | None, *, development: bool) -> FastAPI:
    app = FastAPI()
    app.add_middleware(
        SessionMiddleware, sessions=sessions, transport=transport, development=development
    )

    @app.get("/me")
    async def me(request: Request) -> Any:
        session = session_of(request)
        return [session.require_subject(), session.get("cart"), session.assurance]

    @app.get("/me/rotate")
    async def rotate(request: Request) -> None:
        session_of(request).privilege_changed()

    return app


def see(client: Any, **more: Any) -> Any:
    """What a client sees of itself, with a new token in between."""
    first = client.get("/me", **more).json()
    assert client.get("/me/rotate", **more).status_code == 200
    assert client.get("/me", **more).json() == first
    return first


@pytest.mark.parametrize("how", TRANSPORTS)
def test_starlette(how: str) -> None:
    sessions, transport = Sessions(MemoryStore()), TRANSPORTS[how]
    client = TestClient(fastapi(sessions, transport, development=False), "https://shop.example.com")
    log_in(client, sessions, "alice", CART, transport=transport, assurance=2)
    assert see(client) == ["alice", {"hat": 1}, 2]
    assert len(client.cookies) == 1


def test_starlette_in_development() -> None:
    sessions = Sessions(MemoryStore())
    app = fastapi(sessions, None, development=True)
    client = TestClient(app, "http://localhost", client=("127.0.0.1", 5))
    log_in(client, sessions, "alice", CART, development=True)
    assert see(client) == ["alice", {"hat": 1}, 1]


def test_another_log_in_takes_the_place_of_the_first() -> None:
    sessions = Sessions(MemoryStore())
    client = TestClient(fastapi(sessions, None, development=False), "https://shop.test")
    log_in(client, sessions, "alice")
    log_in(client, sessions, "bob")
    assert see(client) == ["bob", None, 1]


def test_bearer_tokens_are_returned_as_headers() -> None:
    sessions, transport = Sessions(MemoryStore()), BearerTransport()
    client = TestClient(fastapi(sessions, transport, development=False), "https://shop.test")
    headers = log_in(None, sessions, "alice", CART, transport=transport)
    assert headers["Authorization"].startswith("Bearer ")
    assert client.get("/me", headers=headers).json() == ["alice", {"hat": 1}, 1]
    assert client.get("/me").status_code == 401


def test_a_cookie_is_returned_as_a_header_too() -> None:
    sessions = Sessions(MemoryStore())
    app = fastapi(sessions, None, development=False)
    headers = log_in(TestClient(app, "https://shop.test"), sessions, "alice")
    assert TestClient(app, "https://shop.test").get("/me", headers=headers).json()[0] == "alice"


async def test_a_store_that_waits_for_a_loop(redis: Server) -> None:
    """`log_in` says so, in a thread as well as in a loop."""
    sessions = Sessions(store_from_url(f"redis://127.0.0.1:{redis.port}/0?prefix=log_in"))
    client = TestClient(fastapi(sessions, None, development=False), "https://shop.test")
    with pytest.raises(RuntimeError, match="use Sessions with `await`"):
        log_in(client, sessions, "alice")
    await log_in_async(client, sessions, "alice")
    assert len(client.cookies) == 1
    await sessions.close()


def test_a_client_that_lends_its_loop(redis: Server) -> None:
    sessions = Sessions(store_from_url(f"redis://127.0.0.1:{redis.port}/0?prefix=portal"))
    app = fastapi(sessions, None, development=False)
    with TestClient(app, "https://shop.test") as client:
        assert client.portal is not None
        client.portal.call(log_in_async, client, sessions, "alice", CART)
        assert see(client) == ["alice", {"hat": 1}, 1]
        client.portal.call(sessions.close)


def test_litestar() -> None:
    @litestar.get("/me")
    async def me(request: "litestar.Request[Any, Any, Any]") -> Any:
        session = session_of(cast("Any", request))
        return [session.require_subject(), session.get("cart"), session.assurance]

    @litestar.get("/me/rotate")
    async def rotate(request: "litestar.Request[Any, Any, Any]") -> None:
        session_of(cast("Any", request)).privilege_changed()

    sessions = Sessions(MemoryStore())
    middleware = litestar.middleware.DefineMiddleware(
        cast("Any", SessionMiddleware), sessions=sessions
    )
    app = litestar.Litestar([me, rotate], middleware=[middleware])
    with litestar.testing.TestClient(app, "https://shop.test") as client:
        log_in(client, sessions, "alice", CART)
        assert see(client) == ["alice", {"hat": 1}, 1]


@pytest.fixture
def flask_app() -> flask.Flask:
    app = flask.Flask(__name__)
    app.config["PREFERRED_URL_SCHEME"] = "https"

    @app.get("/me")
    def me() -> Any:
        session = flask_session_of()
        return [session.require_subject(), session.get("cart"), session.assurance]

    @app.get("/me/rotate")
    def rotate() -> str:
        flask_session_of().privilege_changed()
        return "done"

    return app


def see_flask(client: Any) -> Any:
    first = client.get("/me").get_json()
    assert client.get("/me/rotate").status_code == 200
    assert client.get("/me").get_json() == first
    return first


@pytest.mark.parametrize("how", TRANSPORTS)
def test_flask(flask_app: flask.Flask, how: str) -> None:
    sessions, transport = BlockingSessions(MemoryStore()), TRANSPORTS[how]
    if how == "domain":
        flask_app.config["SERVER_NAME"] = "shop.example.com"
    flask_app.session_interface = SessionInterface(flask_app, sessions, transport=transport)
    client = flask_app.test_client()
    log_in(client, sessions, "alice", CART, transport=transport)
    assert see_flask(client) == ["alice", {"hat": 1}, 1]


def test_flask_in_development(flask_app: flask.Flask) -> None:
    flask_app.config["PREFERRED_URL_SCHEME"] = "http"
    sessions = BlockingSessions(MemoryStore())
    flask_app.session_interface = SessionInterface(flask_app, sessions, development=True)
    client = flask_app.test_client()
    log_in(client, sessions, "alice", CART, development=True)
    assert see_flask(client) == ["alice", {"hat": 1}, 1]


async def test_quart() -> None:
    app = quart.Quart(__name__)
    sessions = Sessions(MemoryStore())
    inner = cast("Any", app.asgi_app)  # Quart, too
    cast("Any", app).asgi_app = SessionMiddleware(inner, sessions=sessions)

    @app.get("/me")
    async def me() -> Any:
        session = session_of(cast("Any", quart.request))
        return [session.require_subject(), session.get("cart"), session.assurance]

    @app.get("/me/rotate")
    async def rotate() -> str:
        session_of(cast("Any", quart.request)).privilege_changed()
        return "done"

    client = app.test_client()
    await log_in_async(client, sessions, "alice", CART)
    said: list[Any] = []
    for path in ("/me", "/me/rotate", "/me"):
        reply = await client.get(path, scheme="https")
        said.append(await reply.get_data(as_text=True))
    assert said == ['["alice",{"hat":1},1]\n', "done", '["alice",{"hat":1},1]\n']


async def test_aiohttp() -> None:
    """What its client sends is enough here: an adapter reads it as any other header."""
    sessions = Sessions(MemoryStore())
    transport = CookieTransport().for_development()

    async def me(request: web.Request) -> web.Response:
        token = Token.parse(request.cookies.get("sid", ""))
        session = await sessions.open(token)
        if request.path == "/me":
            return web.json_response([session.require_subject(), session.get("cart")])
        session.privilege_changed()
        outcome = await sessions.commit(session)
        response = web.json_response(None)
        for _, line in transport.write(Cookies(outcome.cookies), ""):
            response.headers.add("Set-Cookie", line.decode())
        return response

    app = web.Application()
    app.add_routes([web.get("/{path:.*}", me)])
    async with AiohttpClient(AiohttpServer(app)) as client:
        await log_in_async(client, sessions, "alice", CART, development=True)
        said: list[Any] = []
        for path in ("/me", "/me/rotate", "/me"):
            async with client.get(path) as reply:
                said.append(await reply.json())
    assert said == [["alice", {"hat": 1}], None, ["alice", {"hat": 1}]]


def test_django() -> None:
    """Its client sends what is in its jar to every address."""
    if not settings.configured:
        settings.configure()
    sessions = BlockingSessions(MemoryStore())
    client = DjangoClient()
    headers = log_in(client, sessions, "alice", CART)
    assert headers == {"Cookie": f"__Host-sid={client.cookies['__Host-sid'].value}"}
    session = sessions.open(Token.parse(client.cookies["__Host-sid"].value))
    assert (session.subject, session["cart"]) == ("alice", {"hat": 1})


def plain_flask() -> Any:
    return flask.Flask("plain").test_client()


def plain_aiohttp() -> Any:
    return AiohttpClient(AiohttpServer(web.Application()))


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: TestClient(FastAPI()), 'give it base_url="https://testserver"'),
        (httpx.Client, 'give it base_url="https://testserver"'),
        (plain_flask, 'set app.config["PREFERRED_URL_SCHEME"] = "https"'),
        (plain_aiohttp, "start its server with ssl="),
    ],
    ids=["starlette", "httpx", "flask", "aiohttp"],
)
@pytest.mark.parametrize("how", TRANSPORTS)
async def test_a_client_of_plain_http_is_refused(
    make: Callable[[], Any], advice: str, how: str
) -> None:
    """Fails when it is given a cookie that it never sends: every request is a visitor's then."""
    client = make()
    served: Any = client if hasattr(client, "start_server") else nullcontext()
    async with served:
        with pytest.raises(ConfigurationError) as raised:
            log_in(client, Sessions(MemoryStore()), "alice", transport=TRANSPORTS[how])
    assert advice in str(raised.value)
    assert "development=True" in str(raised.value)


def test_a_client_that_nobody_knows_is_refused() -> None:
    sessions = BlockingSessions(MemoryStore())
    with pytest.raises(TypeError, match="object is no test client"):
        log_in(object(), sessions, "alice")


def test_a_transport_without_cookies_of_its_own_is_refused() -> None:
    class Silent(CookieTransport):
        __slots__ = ()

        def write(self, *_: object) -> list[tuple[bytes, bytes]]:
            return []

    with pytest.raises(TypeError, match="Silent sets no cookie"):
        log_in(object(), BlockingSessions(MemoryStore()), "alice", transport=Silent())
