"""What docs/how-to/front-end.md shows and says, in a real browser: pages and API on two ports."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import MemoryStore, Sessions
from coatcheck.web import CSRF
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.browser.test_csrf import serving
from tests.docs.test_examples import EXAMPLES, load

TEXT = (EXAMPLES.parent / "how-to" / "front-end.md").read_text()
(SCRIPT,) = (block for block in re.findall(r"```js\n(.*?)```", TEXT, re.DOTALL) if "fetch" in block)
LOGIN = {"name": "alice", "password": "wonderland"}
OPEN = """url => new Promise(told => {
    const socket = new WebSocket(url);
    socket.onopen = () => told("open");
    socket.onerror = () => told("refused");
})"""


@contextmanager
def pages(script: str) -> Generator[int]:
    async def home(_: Request) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><script>{script}</script>")

    with serving(Starlette(routes=[Route("/", home)])) as port:
        yield port


@pytest.fixture
def tab(chromium: Browser) -> Generator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def call(tab: Page, method: str, path: str, data: object = None) -> tuple[int, Any]:
    said = tab.evaluate("([method, path, data]) => call(method, path, data)", [method, path, data])
    return said["status"], said["data"]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[tuple[Any, int, int]]:
    """The example, its port, and that of its pages."""
    monkeypatch.chdir(tmp_path)
    held: dict[str, str] = {}

    async def script(_: Request) -> PlainTextResponse:
        return PlainTextResponse(held["script"], media_type="text/javascript")

    async def home(_: Request) -> HTMLResponse:
        return HTMLResponse('<!doctype html><script src="/page.js"></script>')

    with serving(Starlette(routes=[Route("/", home), Route("/page.js", script)])) as port:
        monkeypatch.setenv("PAGES", f"http://localhost:{port}")
        module = load("front_end")
        with serving(module.app) as own:
            held["script"] = SCRIPT.replace("localhost:8000", f"localhost:{own}")
            yield module, own, port


def test_a_page_on_another_port_logs_in_and_out(tab: Page, api: tuple[Any, int, int]) -> None:
    """Fails without `origins`, without `credentials`, and with CORS inside instead of around."""
    tab.goto(f"http://localhost:{api[2]}/")
    assert call(tab, "GET", "/api/me") == (401, {"error": "please log in first"})
    wrong = {"detail": "wrong user name or password"}
    assert call(tab, "POST", "/api/login", {**LOGIN, "password": "no"}) == (401, wrong)
    assert call(tab, "POST", "/api/login", LOGIN) == (200, "hello alice")
    assert call(tab, "GET", "/api/me") == (200, "alice")
    (cookie,) = tab.context.cookies()
    assert (cookie.get("name"), cookie.get("httpOnly")) == ("sid", True)
    assert call(tab, "POST", "/api/logout") == (200, None)
    assert call(tab, "GET", "/api/me") == (401, {"error": "please log in first"})


def test_a_page_under_the_other_name_of_this_machine_is_another_site(
    tab: Page, api: tuple[Any, int, int]
) -> None:
    tab.goto(f"http://127.0.0.1:{api[2]}/")
    with pytest.raises(Exception, match="Failed to fetch"):
        call(tab, "POST", "/api/login", LOGIN)
    assert tab.context.cookies() == []


async def login(request: Request) -> PlainTextResponse:
    session_of(request).sign_in("alice")
    return PlainTextResponse("welcome")


async def chat(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


def application(**options: Any) -> Any:
    return Starlette(
        routes=[Route("/login", login, methods=["GET", "POST"]), WebSocketRoute("/chat", chat)],
        middleware=[
            Middleware(
                SessionMiddleware, sessions=Sessions(MemoryStore()), development=True, **options
            )
        ],
    )


def test_a_websocket_of_a_page_on_another_port_needs_its_origin(tab: Page) -> None:
    with pages("") as port:
        tab.goto(f"http://localhost:{port}/")
        for csrf, outcome in [
            (CSRF(), "refused"),
            (CSRF(origins=[f"http://localhost:{port}"]), "open"),
        ]:
            with serving(application(csrf=csrf)) as own:
                assert tab.evaluate(OPEN, f"ws://localhost:{own}/chat") == outcome


def test_two_applications_on_this_machine_take_each_others_cookies(tab: Page) -> None:
    """And do not, by a name of its own for one."""
    with serving(application()) as first, serving(application()) as second:
        tab.goto(f"http://localhost:{first}/login")
        before = tab.context.cookies()
        tab.goto(f"http://shop.localhost:{second}/login")
        assert len(tab.context.cookies()) == 2
        assert before[0] in tab.context.cookies()
        tab.goto(f"http://localhost:{second}/login")
        assert before[0] not in tab.context.cookies()
