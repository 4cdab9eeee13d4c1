"""What is put together wrongly is refused by an error that says what to do."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
from aiohttp import web
from django.core.handlers.wsgi import WSGIHandler
from flask import Flask
from litestar import Litestar
from quart import Quart
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware as StarletteSessions
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from coatcheck import BlockingSessions, MemoryStore, Sessions, store_from_url
from coatcheck.errors import ConfigurationError
from coatcheck.web import (
    BearerTransport,
    GateOptions,
    aiohttp,
    aiohttp_session,
    asgi,
    flask,
    litestar,
    quart,
    wsgi,
)
from tests.frameworks.django_site import site
from tests.frameworks.shop import Shop
from tests.web.client import App

ADAPTERS = {  # and what it may import
    "aiohttp": ["aiohttp"],
    "aiohttp_session": ["aiohttp", "aiohttp_session"],
    "asgi": [],
    "django": ["django"],
    "fastapi": ["fastapi"],
    "flask": ["flask"],
    "litestar": ["litestar"],
    "quart": ["quart"],
    "wsgi": [],
}
FRAMEWORKS = [
    "aiohttp", "aiohttp_session", "bottle", "django", "fastapi", "flask", "litestar", "pyramid",
    "quart", "starlette",
]  # fmt: skip


def of_aiohttp(sessions: Any, **options: Any) -> None:
    aiohttp.setup(web.Application(), sessions, **options)


def of_aiohttp_session(sessions: Any, **options: Any) -> None:
    aiohttp_session.setup(web.Application(), sessions, **options)


def of_asgi(sessions: Any, **options: Any) -> None:
    asgi.SessionMiddleware(cast("App", None), sessions=sessions, **options)


def of_django(sessions: Any, **options: Any) -> None:
    with site(COATCHECK={"sessions": sessions, **options}):
        WSGIHandler()


def of_flask(sessions: Any, **options: Any) -> None:
    flask.SessionInterface(Flask(__name__), sessions, **options)


def of_litestar(sessions: Any, **options: Any) -> None:
    Litestar([], plugins=[litestar.SessionPlugin(sessions, **options)])


def of_quart(sessions: Any, **options: Any) -> None:
    quart.SessionInterface(Quart(__name__), sessions, **options)


def of_wsgi(sessions: Any, **options: Any) -> None:
    wsgi.SessionMiddleware(cast("Any", None), sessions=sessions, **options)


SET_UP: dict[str, Callable[..., None]] = {
    "aiohttp": of_aiohttp,
    "aiohttp_session": of_aiohttp_session,
    "asgi": of_asgi,
    "django": of_django,
    "flask": of_flask,
    "litestar": of_litestar,
    "quart": of_quart,
    "wsgi": of_wsgi,
}
BLOCKING = {
    "django": r'COATCHECK\["sessions"\]: is for asyncio',
    "flask": "sessions: Flask needs BlockingSessions",
    "wsgi": "sessions: WSGI needs BlockingSessions",
}
ASYNCIO = sorted(SET_UP.keys() - BLOCKING)


def sessions_for(name: str) -> Sessions | BlockingSessions:
    return (BlockingSessions if name in BLOCKING else Sessions)(MemoryStore())


def python(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_imports_no_framework_but_its_own(name: str) -> None:
    """What its own imports by itself is not the adapter's doing: Quart imports Flask."""
    own = "\n".join(f"import {framework}" for framework in ADAPTERS[name])
    loaded = f"sorted(set({FRAMEWORKS!r}) & set(sys.modules))"
    program = f"""
import sys
{own}
before = {loaded}
import coatcheck.web.{name}
print({loaded} == before, *before)
"""
    assert python(program).startswith("True"), python(program)


@pytest.mark.parametrize(
    ("name", "missing"), [(name, missing) for name, own in ADAPTERS.items() for missing in own]
)
def test_a_missing_framework_is_named_with_its_extra(name: str, missing: str) -> None:
    """Each of them: the extra that is named gives the other ones as well."""
    program = f"""
import sys
sys.modules[{missing!r}] = None
try:
    import coatcheck.web.{name}
except ImportError as error:
    print(error)
"""
    extra = name.replace("_", "-")
    assert python(program) == f"{missing} is not installed: pip install 'coatcheck[{extra}]'"


def test_a_framework_that_is_broken_says_so_itself() -> None:
    program = """
import sys
sys.modules["multidict"] = None
try:
    import coatcheck.web.aiohttp
except ImportError as error:
    print(error)
"""
    assert "coatcheck" not in python(program)


@pytest.mark.parametrize("name", ASYNCIO)
def test_sessions_that_block_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="sessions: asyncio needs Sessions"):
        SET_UP[name](BlockingSessions(MemoryStore()))


@pytest.mark.parametrize("name", BLOCKING)
def test_sessions_of_asyncio_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=BLOCKING[name]):
        SET_UP[name](Sessions(store_from_url("redis://localhost")))


WRONG: dict[str, Any] = {
    "transport": BearerTransport,
    "trusted_proxies": "x",
    "passive": "x",
    "csrf": "x",
    "step_up_url": 7,
    "tickets": "x",
    "clear_site_data": "x",
}


@pytest.mark.parametrize("name", SET_UP)
def test_every_adapter_has_every_option(name: str) -> None:
    """Fails when one is not passed on to the gate, which refuses it."""
    assert WRONG.keys() | {"development"} == GateOptions.__annotations__.keys()
    for option, value in WRONG.items():
        with pytest.raises(ConfigurationError, match=option):
            SET_UP[name](sessions_for(name), **{option: value})
    SET_UP[name](sessions_for(name), development=True)


@pytest.mark.parametrize("name", SET_UP)
def test_an_option_that_is_misspelled_is_refused(name: str) -> None:
    """Fails when the gate takes whatever it is given."""
    with pytest.raises((TypeError, ConfigurationError), match="developement"):
        SET_UP[name](sessions_for(name), developement=True)


def test_the_same_twice_is_refused() -> None:
    shop = Shop()
    app = web.Application()
    aiohttp.setup(app, shop.sessions)
    with pytest.raises(ConfigurationError, match="app: has coatcheck's sessions already"):
        aiohttp.setup(app, shop.sessions)
    other = Quart(__name__)
    quart.SessionInterface(other, shop.sessions)
    with pytest.raises(ConfigurationError, match="app: has coatcheck's sessions already"):
        quart.SessionInterface(other, shop.sessions)


def test_something_else_than_an_application_is_refused() -> None:
    shop = Shop()
    with pytest.raises(ConfigurationError, match="app: 'shop' is no Quart"):
        quart.SessionInterface(cast("Any", "shop"), shop.sessions)
    with pytest.raises(ConfigurationError, match="app: 'shop' is no application of aiohttp"):
        aiohttp.setup(cast("Any", "shop"), shop.sessions)


async def read(request: Request) -> Response:
    return PlainTextResponse(str(dict(request.session)))


async def never_looks(_: Request) -> Response:
    return PlainTextResponse("hello")


OURS = "ours"
THEIRS = Middleware(StarletteSessions, secret_key="made up")


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        (
            [OURS, OURS],
            "application: has two of coatcheck's adapters around it, coatcheck.web.asgi",
        ),
        ([THEIRS, OURS], "application: has other sessions around it"),
        ([OURS, THEIRS], "application: has other sessions in it"),
    ],
)
@pytest.mark.parametrize("path", ["/read", "/never_looks"])
async def test_two_kinds_of_sessions_around_one_application_are_refused(
    order: list[Any], problem: str, path: str
) -> None:
    """Fails when the outer one saves, or sends in a cookie of its own, what is in the inner one."""
    shop = Shop()
    ours = Middleware(asgi.SessionMiddleware, sessions=shop.sessions)
    app = Starlette(
        routes=[Route("/read", read), Route("/never_looks", never_looks)],
        middleware=[ours if one is OURS else one for one in order],
    )
    reply = await shop.browser(app).get(path)
    assert reply.status == 500
    assert str(reply.error).startswith(problem)


async def test_what_is_mounted_may_have_other_sessions() -> None:
    """An administration that somebody else wrote, say."""

    async def count(request: Request) -> Response:
        request.session["visits"] = 1
        return PlainTextResponse("counted")

    shop = Shop()
    other = Starlette(routes=[Route("/count", count)], middleware=[THEIRS])
    ours = Middleware(asgi.SessionMiddleware, sessions=shop.sessions)
    app = Starlette(routes=[Mount("/admin", other)], middleware=[ours])
    reply = await shop.browser(app).get("/admin/count")
    assert reply.status == 200
    assert [cookie.partition("=")[0] for cookie in reply.cookies] == ["session"]


async def test_a_session_is_of_a_request_to_an_application_that_has_sessions() -> None:
    with pytest.raises(RuntimeError, match="Not within a request"):
        quart.session_of()
    app: Any = Quart(__name__)
    app.secret_key = "made up"
    async with app.test_request_context("/"):
        with pytest.raises(RuntimeError, match="give the app to coatcheck's SessionInterface"):
            quart.session_of()
    scope: dict[str, Any] = {"type": "http", "headers": []}
    with pytest.raises(RuntimeError, match="add coatcheck's SessionMiddleware"):
        asgi.session_of(Request(scope))
    with pytest.raises(RuntimeError, match="give coatcheck's SessionPlugin"):
        litestar.session_of(cast("Any", Request(scope)))
