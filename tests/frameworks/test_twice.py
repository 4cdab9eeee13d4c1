"""Two adapters around one application are refused, by an error that names both and the spare one.

Each test fails when the look for the other adapter is taken out of the inner one.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from flask import Flask
from litestar import Litestar, asgi, get
from quart import Quart

from coatcheck import BlockingSessions, MemoryStore, Sessions
from coatcheck.web import flask, litestar, quart
from coatcheck.web.asgi import SessionMiddleware as Asgi
from coatcheck.web.wsgi import SessionMiddleware as Wsgi
from tests.frameworks.django_site import site
from tests.web.client import App, Client

STORE = MemoryStore()
SESSIONS, BLOCKING = Sessions(STORE), BlockingSessions(STORE)


def around(app: Any) -> App:
    return Asgi(app, sessions=SESSIONS)


async def asgi_hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def wsgi_hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def of_flask() -> Any:
    app = Flask("inside")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.session_interface = flask.SessionInterface(app, BLOCKING)
    return app


def of_quart() -> Any:
    app = Quart("inside")
    quart.SessionInterface(app, SESSIONS)
    return app


def of_litestar(*handlers: Any) -> Any:
    return Litestar(handlers, plugins=[litestar.SessionPlugin(SESSIONS)], debug=True)


@get("/")
async def page() -> str:
    return "hello"


@asgi("/", is_mount=True, copy_scope=True)
async def mounted(scope: Any, receive: Any, send: Any) -> None:
    await around(asgi_hello)(scope, receive, send)


async def said(app: App, log: pytest.LogCaptureFixture) -> str:
    """Return what was raised, or what a framework logged or showed that answers what is raised."""
    reply = await Client(app).get("/", [("user-agent", "a test"), ("accept", "a"), ("accept", "b")])
    assert reply.status == 500
    return f"{reply.error}{log.text}{reply.body.decode()}"


def problem(outer: str, inner: str, spare: str) -> str:
    return (
        f"application: has two of coatcheck's adapters around it, coatcheck.web.{outer} outside "
        f"and coatcheck.web.{inner} inside: leave the {spare} one out"
    )


BRIDGES: dict[str, Callable[[Any], Any]] = {"asgiref": WsgiToAsgi, "a2wsgi": WSGIMiddleware}
WSGI: dict[str, Callable[[], Any]] = {
    "wsgi": lambda: Wsgi(wsgi_hello, sessions=BLOCKING),
    "flask": of_flask,
    "django": WSGIHandler,
}


@pytest.mark.parametrize("bridge", BRIDGES)
@pytest.mark.parametrize("inner", WSGI)
async def test_around_a_wsgi_application(
    inner: str, bridge: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its environ tells nothing of what is around it."""
    with site():
        app = around(BRIDGES[bridge](WSGI[inner]()))
        assert problem("asgi", inner, "outer") in await said(app, caplog)


ASGI: list[tuple[Callable[[], Any], str]] = [
    (lambda: around(around(asgi_hello)), problem("asgi", "asgi", "inner")),
    (lambda: around(of_quart()), problem("asgi", "quart", "outer")),
    (lambda: around(of_litestar(page)), problem("asgi", "litestar", "outer")),
    (lambda: around(ASGIHandler()), problem("asgi", "django", "outer")),
    (lambda: of_litestar(mounted), problem("litestar", "asgi", "inner")),
]


@pytest.mark.parametrize(("make", "problem"), ASGI, ids=[problem for _, problem in ASGI])
async def test_around_an_asgi_application(
    make: Callable[[], Any], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    with site():
        assert problem in await said(make(), caplog)


@pytest.mark.parametrize("inner", ["wsgi", "flask"])
async def test_a_request_that_an_application_sends_to_another_is_none_of_that(inner: str) -> None:
    """Fails when it is taken for the one that is being served."""
    other = WSGI[inner]()
    status = list[int]()

    def send_to_another() -> None:
        with httpx.Client(transport=httpx.WSGITransport(other), base_url="https://other") as client:
            status.append(client.get("/").status_code)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.to_thread(send_to_another)
        await asgi_hello(scope, receive, send)

    await Client(around(app)).get("/", [("user-agent", "a browser")])
    assert status == [200 if inner == "wsgi" else 404]
