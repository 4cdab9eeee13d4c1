"""What is left in a real browser after a logout (R-046)."""

from typing import Any

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from coatcheck import MemoryStore, Sessions
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.browser.test_csrf import login, logout, serving

KEEP = "localStorage.setItem('draft', 'mine'); sessionStorage.setItem('draft', 'mine')"
LEFT = "[localStorage.getItem('draft'), sessionStorage.getItem('draft'), document.cookie]"
POST = "path => fetch(path, {method: 'POST'}).then(answer => answer.status)"


async def page(request: Request) -> Response:
    return HTMLResponse(f"<!doctype html>{session_of(request).subject}")


def app(**settings: Any) -> Starlette:
    sessions = Sessions(MemoryStore())
    settings["trusted_proxies"] = ["127.0.0.1"]  # the browser plays the part of one
    return Starlette(
        routes=[
            Route("/login", login, methods=["POST"]),
            Route("/logout", logout, methods=["POST"]),
            Route("/", page),
        ],
        middleware=[Middleware(SessionMiddleware, sessions=sessions, **settings)],
    )


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({}, ["mine", "mine", "theme=dark"]),
        ({"clear_site_data": True}, [None, None, "theme=dark"]),
        ({"clear_site_data": ["cookies"]}, ["mine", "mine", ""]),
    ],
)
def test_nothing_is_left_but_cookies(
    chromium: Browser, settings: dict[str, Any], left: list[str | None]
) -> None:
    """To a browser this machine is as good as HTTPS, and to the application it says that it is."""
    with serving(app(**settings)) as port:
        context = chromium.new_context(extra_http_headers={"X-Forwarded-Proto": "https"})
        tab = context.new_page()
        tab.goto(f"http://localhost:{port}/")
        assert tab.evaluate(POST, "/login") == 200
        tab.reload()
        assert tab.inner_text("body") == "alice"
        tab.evaluate(f"document.cookie = 'theme=dark'; {KEEP}")
        assert tab.evaluate(LEFT) == ["mine", "mine", "theme=dark"]
        assert tab.evaluate(POST, "/logout") == 200
        assert tab.evaluate(LEFT) == left
        tab.reload()
        assert tab.inner_text("body") == "None"
        context.close()
