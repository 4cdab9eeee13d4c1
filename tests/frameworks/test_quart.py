"""Quart, by its own session interface."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from secrets import token_hex
from typing import Any, cast

import pytest
import quart
from markupsafe import Markup
from quart import (
    Quart,
    Response,
    flash,
    g,
    get_flashed_messages,
    request,
    session,
    websocket,
)

from coatcheck import MemoryStore, Sessions
from coatcheck.errors import ConfigurationError, InsecureTransport, Superseded, Unauthenticated
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages
from coatcheck.web.quart import SessionInterface, session_of
from tests.frameworks.shop import Shop
from tests.web.client import App, Client, Message, Receive, Send

UNTYPED: Any = quart
"""What it has that it says too little of."""


class TestQuart(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        app = Quart(__name__)
        SessionInterface(app, Sessions(**parts))

        @app.route("/<path:path>", methods=["GET", "POST"])
        async def page(path: str) -> Response:
            query = request.query_string.decode()
            page = await pages.answer_async(f"/{path}", query, session_of)
            if page.chunks:
                return Response(page.chunks())
            return Response(page.body, page.status)

        return AsgiDriver(app)


def shop_of(shop: Shop, **config: Any) -> Quart:
    app = Quart(__name__)
    cast("dict[str, Any]", app.config).update(config)
    SessionInterface(app, shop.sessions)

    @app.route("/login")
    async def login() -> str:
        session_of().sign_in("alice")
        session.permanent = "permanent" in request.args
        return "welcome"

    @app.route("/put")
    async def put() -> str:
        session["cart"] = {"hats": 1}
        return "done"

    @app.route("/cart")
    async def cart() -> dict[str, Any]:
        return dict(session)

    @app.route("/me")
    async def me() -> str:
        return session_of().require_subject()

    @app.route("/superseded")
    async def superseded() -> str:
        session["half"] = "done"
        raise Superseded("by a test")

    @app.websocket("/chat")
    async def chat() -> None:
        user = session_of().require_subject()
        session["chats"] = True
        await websocket.send(user)

    @app.websocket("/hello")
    async def hello() -> None:
        session["met"] = True
        await cast("Any", websocket).accept({"X-Served-By": "A"})
        session["late"] = True

    return app


def browser_of(shop: Shop, **config: Any) -> Client:
    return shop.browser(cast("App", shop_of(shop, **config)))


async def handshake(browser: Client, path: str, **scope: Any) -> list[Message]:
    """Return what the application sends until it closes; Quart stops it at a hang-up."""
    closed = asyncio.Event()

    async def patient(scope: Message, receive: Receive, send: Send) -> None:
        async def receive_until_closed() -> Message:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                await closed.wait()
            return message

        async def note(message: Message) -> None:
            await send(message)
            if message["type"] in ("websocket.close", "websocket.http.response.body"):
                closed.set()

        await browser.app(scope, receive_until_closed, note)

    return await Client(patient, jar=browser.jar, scheme="wss").websocket(path, **scope)


async def test_the_session_is_quarts_session() -> None:
    browser = browser_of(Shop())
    assert (await browser.get("/me")).status == 401
    await browser.get("/login")
    await browser.get("/put")
    assert (await browser.get("/cart")).json() == {"cart": {"hats": 1}}
    assert (await browser.get("/me")).body == b"alice"


async def test_an_error_of_the_session_is_answered_and_nothing_saved() -> None:
    """Saves `half` when it is a response like others."""
    shop = Shop()
    browser = browser_of(shop)
    await browser.get("/login")
    reply = await browser.get("/superseded")
    assert reply.status == 409
    assert reply.json() == {"error": "the session changed meanwhile, please try again"}
    assert (await browser.get("/cart")).json() == {}
    shop.spy.breaks()
    assert (await browser.get("/cart")).status == 503


@pytest.mark.parametrize("moment", ["after_request", "teardown_request"])
async def test_an_error_that_quart_lets_through_is_answered(moment: str) -> None:
    """Fails when the error in the group of a task is one of the application."""
    shop = Shop()
    app = shop_of(shop, PROPAGATE_EXCEPTIONS=True)

    async def check(given: Any) -> Any:
        session_of().require_subject()
        return given

    getattr(app, moment)(check)
    assert (await shop.browser(cast("App", app)).get("/put")).status == 401


async def test_an_error_of_the_application_stays_as_quart_raises_it() -> None:
    shop = Shop()
    app = shop_of(shop, PROPAGATE_EXCEPTIONS=True)

    @app.route("/broken")
    async def broken() -> str:
        raise ExceptionGroup("several", [Unauthenticated(), ValueError("by a test")])

    reply = await shop.browser(cast("App", app)).get("/broken")
    assert reply.status == 500
    error: Any = reply.error
    assert isinstance(error, ExceptionGroup)


async def test_the_applications_own_answer_to_an_error_stands() -> None:
    shop = Shop()
    app = shop_of(shop)

    @app.errorhandler(Unauthenticated)
    async def to_the_login(_: Exception) -> tuple[str, int]:
        return "please log in", 403

    assert (await shop.browser(cast("App", app)).get("/me")).status == 403


async def test_messages_are_those_of_flask() -> None:
    """HTML comes back as HTML, whichever of the two stored it."""
    shop = Shop()
    app = shop_of(shop)

    @app.route("/flash")
    async def say() -> str:
        await flash("plain <b>", "warning")
        await flash(Markup("<b>bold</b>"))
        return ""

    @app.route("/show")
    async def show() -> list[str]:
        return [repr(message) for message in get_flashed_messages(with_categories=True)]

    browser = shop.browser(cast("App", app))
    await browser.get("/flash")
    stored = [["warning", "plain <b>"], ["message", {"__html__": ["<b>bold</b>"]}]]
    assert (await browser.get("/cart")).json() == {"_flashes": stored}
    shown = ["('warning', 'plain <b>')", "('message', Markup('<b>bold</b>'))"]
    assert (await browser.get("/show")).json() == shown
    assert (await browser.get("/show")).json() == []


async def test_a_form_in_the_answer_to_a_login_is_good() -> None:
    """Fails when its token is that of the session which was left."""
    shop = Shop()
    app = shop_of(shop)

    def form_token() -> str:  # as Quart-WTF makes it: one a request
        if "csrf_token" not in g:
            g.csrf_token = session.setdefault("csrf_token", token_hex())
        made: str = g.csrf_token
        return made

    @app.route("/form")
    async def form() -> list[str]:
        return [form_token()]

    @app.route("/in")
    async def log_in() -> list[str]:
        before = form_token()
        session_of().sign_in("alice")
        return [before, form_token()]

    browser = shop.browser(cast("App", app))
    before, after = (await browser.get("/in")).json()
    assert before != after
    assert (await browser.get("/form")).json() == [after]


async def test_the_settings_of_cookies_hold() -> None:
    browser = browser_of(Shop(), SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_NAME="__Host-q")
    (cookie,) = (await browser.get("/login")).cookies
    assert cookie.startswith("__Host-q=")
    assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")


async def test_a_permanent_session_outlives_the_browser() -> None:
    shop = Shop()
    browser = browser_of(shop, PERMANENT_SESSION_LIFETIME=timedelta(hours=1))
    (cookie,) = (await browser.get("/login?permanent=1")).cookies
    assert "Max-Age=3600" in cookie
    (cookie,) = (await browser.get("/login")).cookies
    assert "Max-Age" not in cookie


async def test_a_lifetime_that_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PERMANENT_SESSION_LIFETIME"):
        shop_of(Shop(), PERMANENT_SESSION_LIFETIME=timedelta(days=2))


async def test_a_socket_is_committed_when_it_is_accepted() -> None:
    shop = Shop()
    browser = browser_of(shop)
    await browser.get("/login")
    accept, said = (await handshake(browser, "/chat"))[:2]
    assert (accept["type"], said["text"]) == ("websocket.accept", "alice")
    assert (await browser.get("/cart")).json() == {"chats": True}
    assert shop.unsaved == 0
    accept = (await handshake(browser_of(shop), "/hello"))[0]
    headers = dict(accept["headers"])
    assert headers[b"x-served-by"] == b"A"
    assert headers[b"set-cookie"].startswith(b"__Host-anon=")
    assert shop.unsaved == 1


async def test_a_socket_is_refused_as_a_request_is() -> None:
    """Fails, with 1000, when Quart closes it."""
    sent = await handshake(browser_of(Shop()), "/chat")
    assert sent == [{"type": "websocket.close", "code": 1008}]
    denial = {"websocket.http.response": dict[str, Any]()}
    start = (await handshake(browser_of(Shop()), "/chat", extensions=denial))[0]
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)


async def test_a_test_client_reads_and_prepares_a_session() -> None:
    """Quart's own `session_transaction`."""
    client: Any = shop_of(Shop()).test_client()
    async with client.session_transaction(scheme="https") as prepared:
        prepared["cart"] = {"caps": 2}
    reply = await client.get("/cart", scheme="https")
    assert await reply.get_json() == {"cart": {"caps": 2}}
    await client.get("/put", scheme="https")
    async with client.session_transaction(scheme="https") as found:
        assert found["cart"] == {"hats": 1}


async def test_a_test_client_prepares_a_login() -> None:
    client: Any = shop_of(Shop()).test_client()
    async with client.session_transaction(scheme="https") as prepared:
        session_of(prepared).sign_in("alice")
    reply = await client.get("/me", scheme="https")
    assert await reply.get_data(as_text=True) == "alice"


async def test_a_test_client_works_in_development() -> None:
    """Fails when a request that the client says no address of is anybody's."""
    app = Quart(__name__)
    SessionInterface(app, Sessions(MemoryStore()), development=True)

    @app.route("/cart")
    async def cart() -> dict[str, Any]:
        session.setdefault("cart", {})["hats"] = 1
        return dict(session)

    client: Any = app.test_client()
    async with client.session_transaction() as prepared:
        prepared["cart"] = {"caps": 2}
    both = {"cart": {"caps": 2, "hats": 1}}
    assert await (await client.get("/cart")).get_json() == both
    async with client.session_transaction() as found:
        assert dict(found) == both


async def test_a_request_without_an_address_is_no_development() -> None:
    """Fails when every request is that has none, as behind a socket of Unix."""
    app = Quart(__name__)
    SessionInterface(app, Sessions(MemoryStore()), development=True)

    @app.route("/put")
    async def put() -> str:
        session["hat"] = 1
        return ""

    sent: list[Message] = []
    waiting: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/put",
        "raw_path": b"/put", "query_string": b"", "root_path": "", "headers": [],
        "extensions": {}, "asgi": {"version": "3.0"},
    }  # fmt: skip
    with pytest.raises(InsecureTransport):
        await cast("App", app)(scope, receive, send)
    assert sent == []


async def test_whether_somebody_looked_may_be_asked() -> None:
    """Fails when the question is a look itself, and every response depends on the session."""
    app = shop_of(Shop())
    found: list[bool] = []

    @app.after_request
    async def ask(response: Response) -> Response:
        found.append(session.accessed)
        return response

    @app.route("/nothing")
    async def nothing() -> str:
        return ""

    client = app.test_client()
    reply = await client.get("/nothing", scheme="https")
    assert "Vary" not in reply.headers
    await client.get("/put", scheme="https")
    assert found == [False, True]


async def test_the_session_is_there_wherever_the_request_is() -> None:
    """In a stream, in another task, and in a test after the response."""
    app = shop_of(Shop())

    @app.route("/stream")
    async def stream() -> Response:
        session["cart"] = {"caps": 1}

        async def chunks() -> AsyncIterator[str]:
            yield str(session["cart"])

        return Response(UNTYPED.stream_with_context(chunks)())

    @app.route("/task")
    async def task() -> str:
        async def add() -> None:
            session["task"] = session_of().subject

        await asyncio.create_task(UNTYPED.copy_current_request_context(add)())
        return str(session["task"])

    async with cast("Any", app).test_client() as client:
        reply = await client.get("/stream", scheme="https")
        assert await reply.get_data(as_text=True) == "{'caps': 1}"
        await client.get("/login", scheme="https")
        reply = await client.get("/task", scheme="https")
        assert await reply.get_data(as_text=True) == "alice"
        assert session["task"] == "alice"


async def test_a_background_task_has_no_session() -> None:
    """Fails when Quart's context of no request says so in its own way."""
    app = shop_of(Shop())
    found: list[BaseException] = []

    async def work() -> None:
        try:
            session_of()
        except RuntimeError as error:
            found.append(error)

    async with app.test_app():
        cast("Any", app).add_background_task(work)
    assert len(found) == 1


async def test_the_shutdown_writes_what_waits() -> None:
    shop = Shop()
    app = shop_of(shop)
    async with app.test_app():
        browser = shop.browser(cast("App", app))
        await browser.get("/login")
        shop.clock.move(minutes=5)
        await browser.get("/cart")
    assert (await shop.sessions.list("alice"))[0].seen_at.timestamp() * 1000 == shop.clock.ms
