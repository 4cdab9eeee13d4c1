"""A page of somebody else, in a real browser: on another site, and on another port of our own.

The second has our cookies sent along (a port is no part of a site), so there the attack works where
nothing is checked.
"""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import BlockingSessions, MemoryStore, Sessions
from coatcheck.web import CSRF
from coatcheck.web.asgi import SessionMiddleware, session_of

OFF = CSRF(off="the attack is to work")
FORM = '<form method="post" action="{}"><input name="a"><button>Go</button></form>'
SILENT = '<meta name="referrer" content="no-referrer">'


async def login(request: Request) -> Response:
    session_of(request).sign_in("alice")
    return PlainTextResponse("welcome")


async def logout(request: Request) -> Response:
    session_of(request).end()
    return PlainTextResponse("bye")


async def chat(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


async def page(request: Request) -> Response:
    """A page with a form that leads to where the query says."""
    silent = SILENT if "silent" in request.query_params else ""
    return HTMLResponse(f"<!doctype html>{silent}{FORM.format(request.query_params['to'])}")


def app(store: MemoryStore, csrf: CSRF) -> Any:
    return Starlette(
        routes=[
            Route("/login", login, methods=["POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/page", page),
            WebSocketRoute("/chat", chat),
        ],
        middleware=[
            Middleware(SessionMiddleware, sessions=Sessions(store), development=True, csrf=csrf)
        ],
    )


@contextmanager
def serving(app: Any) -> Generator[int]:
    """Serve on a free port of this machine, from a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def visiting(browser: Browser, csrf: CSRF) -> Generator[tuple[Page, BlockingSessions, int, int]]:
    """Open a page where alice is signed in; there is another server, on another port."""
    store = MemoryStore()
    with serving(app(store, csrf)) as own, serving(app(MemoryStore(), OFF)) as other:
        context = browser.new_context()
        tab = context.new_page()
        assert send(tab, f"http://localhost:{own}", f"http://localhost:{own}/login") == 200
        yield tab, BlockingSessions(store), own, other
        context.close()


def send(tab: Page, of: str, to: str, *, silent: bool = False) -> int:
    """Send the form of a page that `of` serves."""
    tab.goto(f"{of}/page?to={to}{'&silent' if silent else ''}")
    with tab.expect_response(to) as sent:
        tab.get_by_role("button").click()
    return sent.value.status


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("strict", [False, True])
def test_our_own_pages_notice_nothing(chromium: Browser, strict: bool, silent: bool) -> None:
    """Even those that tell nobody where they are, whose `Origin` is `null`."""
    with visiting(chromium, CSRF(strict=strict)) as (tab, sessions, own, _):
        assert sessions.count("alice") == 1
        here = f"http://localhost:{own}"
        assert send(tab, here, f"{here}/logout", silent=silent) == 200
        assert sessions.count("alice") == 0


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_somebody_else_changes_nothing(
    chromium: Browser, host: str, silent: bool
) -> None:
    """R-037, R-067, R-069."""
    with visiting(chromium, CSRF()) as (tab, sessions, own, other):
        evil = f"http://{host}:{other}"
        for path in ("logout", "login"):
            assert send(tab, evil, f"http://localhost:{own}/{path}", silent=silent) == 403
        tab.goto(f"{evil}/page?to=/")
        tab.evaluate(
            "url => fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include'})",
            f"http://localhost:{own}/logout",
        )
        assert sessions.count("alice") == 1
        assert sessions.count() == 1


def test_the_attack_works_where_nothing_is_checked(chromium: Browser) -> None:
    """Or the tests above would show nothing."""
    with visiting(chromium, OFF) as (tab, sessions, own, other):
        assert send(tab, f"http://localhost:{other}", f"http://localhost:{own}/logout") == 200
        assert sessions.count("alice") == 0


OPENS = """url => new Promise(done => {
  const socket = new WebSocket(url);
  socket.onopen = () => done(true);
  socket.onerror = () => done(false);
})"""


@pytest.mark.parametrize("strict", [False, True])
def test_only_our_own_pages_open_a_websocket(chromium: Browser, strict: bool) -> None:
    """R-108."""
    with visiting(chromium, CSRF(strict=strict)) as (tab, _, own, other):
        for host, port, opens in (
            ("localhost", own, True),
            ("localhost", other, False),
            ("127.0.0.1", other, False),
        ):
            tab.goto(f"http://{host}:{port}/page?to=/")
            assert tab.evaluate(OPENS, f"ws://localhost:{own}/chat") is opens, (host, port)


def test_another_origin_of_ours_is_listed(chromium: Browser) -> None:
    with serving(app(MemoryStore(), OFF)) as other:
        ours = f"http://localhost:{other}"
        with visiting(chromium, CSRF(origins=[ours])) as (tab, sessions, own, foreign):
            there = f"http://localhost:{own}/logout"
            assert send(tab, f"http://localhost:{foreign}", there) == 403
            assert send(tab, ours, there) == 200
            assert sessions.count("alice") == 0
