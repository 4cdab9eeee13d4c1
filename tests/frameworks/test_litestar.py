"""Litestar, by a plugin."""

from pathlib import Path
from typing import Any, cast

import pytest
from litestar import Litestar, Request, Response, WebSocket, asgi, get, post, route, websocket
from litestar.exceptions import NotFoundException
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.plugins.flash import FlashConfig, FlashPlugin, flash
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Stream, Template
from litestar.template import TemplateConfig

from coatcheck import Sessions
from coatcheck.errors import ConfigurationError, Superseded, Unauthenticated
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages
from coatcheck.web.litestar import CurrentSession, SessionPlugin, requires_subject, session_of
from tests.frameworks.shop import Shop
from tests.web.client import App

AnyRequest = Request[Any, Any, Any]


class TestLitestar(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        @route("/{path:path}", http_method=["GET", "POST"])
        async def page(request: AnyRequest) -> Response[Any]:
            url = request.url
            page = await pages.answer_async(url.path, url.query, lambda: session_of(request))
            if page.chunks:
                return Stream(page.chunks(), status_code=page.status)
            return Response(page.body.encode(), status_code=page.status)

        app = Litestar([page], plugins=[SessionPlugin(Sessions(**parts))])
        return AsgiDriver(app)


@post("/login")
async def login(session: CurrentSession) -> None:
    session.sign_in("alice")


@get("/me", guards=[requires_subject])
async def me(session: CurrentSession) -> str:
    return session.require_subject()


@get("/cart")
async def cart(request: AnyRequest) -> dict[str, Any]:
    return request.session


@post("/nested")
async def nested(session: CurrentSession) -> None:
    session["cart"]["hats"] += 1


@post("/set")
async def replace(request: AnyRequest) -> None:
    cast("Any", request).set_session({"cart": {"hats": 1}})


@post("/clear")
async def clear(request: AnyRequest) -> None:
    request.clear_session()


@post("/nonsense")
async def nonsense(request: AnyRequest) -> None:
    cast("Any", request).set_session([1, 2])


@get("/superseded")
async def superseded(session: CurrentSession) -> None:
    session["half"] = "done"
    raise Superseded("by a test")


@websocket("/chat")
async def chat(socket: WebSocket[Any, Any, Any], session: CurrentSession) -> None:
    name = session.require_subject()
    session["chats"] = session.get("chats", 0) + 1
    await socket.accept()
    await socket.send_text(name)


@websocket("/hello")
async def hello(socket: WebSocket[Any, Any, Any]) -> None:
    socket.session["met"] = True
    await socket.accept()
    socket.session["late"] = True


HANDLERS = [login, me, cart, nested, replace, clear, nonsense, superseded, chat, hello]


def shop_of(shop: Shop, **settings: Any) -> Litestar:
    return Litestar(HANDLERS, plugins=[SessionPlugin(shop.sessions)], **settings)


async def test_the_session_is_asked_for_by_name() -> None:
    shop = Shop()
    browser = shop.browser(cast("App", shop_of(shop)))
    reply = await browser.get("/me")
    assert (reply.status, reply.get("vary")) == (401, "Cookie")
    assert reply.json() == {"error": "please log in first"}
    await browser.post("/login")
    assert (await browser.get("/me")).body == b"alice"


async def test_setting_the_session_replaces_its_data_and_clearing_ends_it() -> None:
    """Fails when what replaced our session is left to nobody."""
    shop = Shop()
    browser = shop.browser(cast("App", shop_of(shop)))
    await browser.post("/login")
    await browser.post("/set")
    await browser.post("/nested")
    assert (await browser.get("/cart")).json() == {"cart": {"hats": 2}}
    assert (await browser.get("/me")).body == b"alice"
    assert (await browser.post("/nonsense")).error is not None
    await browser.post("/clear")
    assert (await browser.get("/me")).status == 401
    assert await shop.sessions.count() == 0


async def test_the_plugin_of_flash_messages_finds_its_sessions(tmp_path: Path) -> None:
    """Fails when the application starts if the plugin sees no middleware of sessions."""

    @post("/say")
    async def say(request: AnyRequest) -> None:
        flash(request, "saved", "info")

    @get("/page")
    async def page() -> Template:
        return Template(template_str="{% for it in get_flashes() %}{{ it.message }}{% endfor %}")

    shop = Shop()
    templates = TemplateConfig(directory=tmp_path, engine=JinjaTemplateEngine)
    plugins = [SessionPlugin(shop.sessions), FlashPlugin(FlashConfig(templates))]
    app = Litestar([say, page], plugins=plugins, template_config=templates)
    browser = shop.browser(cast("App", app))
    await browser.post("/say")
    assert [(await browser.get("/page")).body for _ in range(2)] == [b"saved", b""]


async def test_what_middleware_makes_of_a_session_is_answered_like_a_handler_s() -> None:
    """Fails when Litestar answers outside: a cache may keep it, and the cookie stays."""

    def hide(app: Any) -> Any:
        async def hiding(scope: Any, receive: Any, send: Any) -> None:
            session_of(Request(scope)).end()
            raise NotFoundException

        return hiding

    @get("/hidden", middleware=[hide])
    async def hidden() -> None: ...

    shop = Shop()
    app = Litestar([*HANDLERS, hidden], plugins=[SessionPlugin(shop.sessions)])
    browser = shop.browser(cast("App", app))
    await browser.post("/login")
    reply = await browser.get("/hidden")
    assert (reply.status, reply.get("vary")) == (404, "Cookie")
    assert browser.cookie == ""


async def test_an_error_of_the_session_is_answered_and_nothing_saved() -> None:
    """Fails, with 500, when Litestar answers it; saves `half` when it is a response like others."""
    shop = Shop()
    browser = shop.browser(cast("App", shop_of(shop)))
    await browser.post("/login")
    reply = await browser.get("/superseded")
    assert reply.status == 409
    assert reply.json() == {"error": "the session changed meanwhile, please try again"}
    assert (await browser.get("/cart")).json() == {}
    shop.spy.breaks()
    reply = await browser.get("/cart")
    assert (reply.status, reply.get("retry-after")) == (503, "2")


async def test_the_applications_own_answer_to_an_error_stands() -> None:
    def to_the_login(request: AnyRequest, error: Exception) -> Response[Any]:
        return Response(None, status_code=303, headers={"location": "/login"})

    shop = Shop()
    app = shop_of(shop, exception_handlers={Unauthenticated: to_the_login})
    reply = await shop.browser(cast("App", app)).get("/me")
    assert (reply.status, reply.get("location")) == (303, "/login")


async def test_a_socket_is_committed_when_it_is_accepted() -> None:
    shop = Shop()
    browser = shop.browser(cast("App", shop_of(shop)))
    await browser.post("/login")
    accept, said = (await browser.websocket("/chat"))[:2]
    assert (accept["type"], said["text"]) == ("websocket.accept", "alice")
    assert (await browser.get("/cart")).json() == {"chats": 1}
    assert shop.unsaved == 0
    visitor = shop.browser(cast("App", shop_of(shop)))
    accept = (await visitor.websocket("/hello"))[0]
    assert b"set-cookie" in dict(accept["headers"])
    assert shop.unsaved == 1


async def test_a_socket_is_refused_as_a_request_is() -> None:
    """Fails, with 4500, when Litestar closes it."""
    shop = Shop()
    app = cast("App", shop_of(shop))
    sent = await shop.browser(app).websocket("/chat")
    assert sent == [{"type": "websocket.close", "code": 1008}]
    start, _ = await shop.browser(app).websocket(
        "/chat", extensions={"websocket.http.response": {}}
    )
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)


async def test_the_shutdown_writes_what_waits() -> None:
    shop = Shop()
    app = shop_of(shop)
    browser = shop.browser(cast("App", app))
    await browser.post("/login")
    shop.clock.move(minutes=5)
    async with app.lifespan():
        await browser.get("/cart")
        shop.spy.calls.clear()
    assert (await shop.sessions.list("alice"))[0].seen_at.timestamp() * 1000 == shop.clock.ms


def test_the_session_is_no_parameter_of_the_api() -> None:
    paths = shop_of(Shop()).openapi_schema.to_schema()["paths"]
    assert "parameters" not in paths["/me"]["get"]


def test_two_kinds_of_sessions_are_refused() -> None:
    plugin = SessionPlugin(Shop().sessions)
    with pytest.raises(ConfigurationError, match="middleware: has Litestar's sessions"):
        Litestar([], plugins=[plugin], middleware=[ServerSideSessionConfig().middleware])
    with pytest.raises(ConfigurationError, match="plugins: has coatcheck's sessions twice"):
        Litestar([], plugins=[plugin, SessionPlugin(Shop().sessions)])


@get("/own", middleware=[ServerSideSessionConfig().middleware])
async def own(request: AnyRequest) -> dict[str, Any]:
    return request.session


async def test_litestars_sessions_of_a_route_are_refused_and_log_nobody_out() -> None:
    """Fails when what they put in the place of ours is taken for `set_session`."""
    shop = Shop()
    browser = shop.browser(
        cast("App", Litestar([login, me, own], plugins=[SessionPlugin(shop.sessions)]))
    )
    await browser.post("/login")
    error: BaseException | None = (await browser.get("/own")).error
    while error is not None and error.__cause__ is not None:  # the log has all of them
        error = error.__cause__
    assert isinstance(error, ConfigurationError)
    assert (await browser.get("/me")).body == b"alice"


async def test_a_mounted_application_may_have_sessions_of_its_own() -> None:
    """Litestar gives it the same scope. Fails when its session is taken for `set_session`."""
    shop = Shop()
    seen: list[Any] = []

    @asgi("/mounted", is_mount=True, copy_scope=False)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = {}  # as Starlette's middleware does
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"mounted"})
        seen.append(scope["session"])

    browser = shop.browser(
        cast("App", Litestar([login, me, mounted], plugins=[SessionPlugin(shop.sessions)]))
    )
    await browser.post("/login")
    assert (await browser.get("/mounted")).body == b"mounted"
    assert seen == [{}]
    assert (await browser.get("/me")).body == b"alice"
