"""Sessions in WebSockets: there when it opens, refused before it is accepted."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import Sessions, Token
from coatcheck.testing import Clock
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.web.app import shop
from tests.web.client import App, Client, Message
from tests.web.jar import Jar
from tests.web.spy import Spy

DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}


async def chat(socket: WebSocket) -> None:
    """Tell the user's name, and keep what is said: each line is saved, but the last is not."""
    session, sessions = session_of(socket), socket.app.state.sessions
    name = session.require_subject()
    await socket.accept()
    await socket.send_text(name)
    async for text in socket.iter_text():
        session.setdefault("said", []).append(text)
        if text != "unsaved":
            await sessions.commit(session)


async def ticker(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("tick")


async def visit(socket: WebSocket) -> None:
    session_of(socket)["visits"] = session_of(socket).get("visits", 0) + 1
    await socket.accept(headers=[(b"x-served-by", b"A")], subprotocol="chat")
    await socket.close()


async def sign_in(socket: WebSocket) -> None:
    session_of(socket).sign_in("alice")
    await socket.accept()
    await socket.close()


async def fails(socket: WebSocket) -> None:
    session_of(socket)["half"] = "done"
    raise RuntimeError("a bug in the application")


async def fails_late(socket: WebSocket) -> None:
    session_of(socket).get("cart")
    await socket.accept()
    raise RuntimeError("a bug in the application")


async def signs_out_and_refuses(socket: WebSocket) -> None:
    session_of(socket).end()
    await socket.close(1008)


def sockets(sessions: Sessions) -> Starlette:
    routes = [chat, ticker, visit, sign_in, fails, fails_late, signs_out_and_refuses]
    app = Starlette(
        routes=[WebSocketRoute(f"/{route.__name__}", route) for route in routes],
        middleware=[Middleware(SessionMiddleware, sessions=sessions)],
    )
    app.state.sessions = sessions
    return app


@pytest.fixture
def socket(sessions: Sessions, browser: Client) -> Client:
    """The same browser, with its WebSockets."""
    return Client(sockets(sessions), jar=browser.jar, scheme="wss")


def kinds(messages: list[Message]) -> list[str]:
    return [message["type"].removeprefix("websocket.") for message in messages]


def cookies(message: Message) -> list[str]:
    return [value.decode() for name, value in message["headers"] if name == b"set-cookie"]


async def test_the_session_is_there(browser: Client, socket: Client) -> None:
    await browser.post("/login")
    accept, said = await socket.websocket("/chat")
    assert (accept["type"], said["text"]) == ("websocket.accept", "alice")
    assert cookies(accept) == []
    assert dict(accept["headers"])[b"vary"] == b"Cookie"


@pytest.mark.usefixtures("every_store")
async def test_what_is_committed_later_is_saved_and_nothing_else(
    sessions: Sessions, browser: Client, socket: Client
) -> None:
    """The first commit is the handshake's; a connection that stays open commits itself."""
    await browser.post("/login")
    await socket.websocket("/chat", "one", "two", "unsaved")
    assert (await browser.get("/read")).json() == {"said": ["one", "two"]}
    assert await sessions.count() == 1


async def test_what_others_change_meanwhile_is_merged(sessions: Sessions, browser: Client) -> None:
    async def both(socket: WebSocket) -> None:
        session = session_of(socket)
        await socket.accept()
        await browser.post("/write?cart=hat")
        session["said"] = "hello"
        await sessions.commit(session)
        await socket.send_json(dict(session))

    await browser.post("/login")
    app = SessionMiddleware(_route(both), sessions=sessions)
    _, sent = await Client(app, jar=browser.jar, scheme="wss").websocket("/")
    assert sent["text"] == '{"cart":"hat","said":"hello"}'


def _route(handler: Any) -> App:
    return Starlette(routes=[WebSocketRoute("/", handler)])


@pytest.mark.usefixtures("every_store")
async def test_what_the_handshake_creates_goes_out_with_its_acceptance(
    sessions: Sessions, socket: Client
) -> None:
    """`Set-Cookie` is part of the 101. Fails when only `http.response.start` commits."""
    accept, _ = await socket.websocket("/visit")
    assert (accept["subprotocol"], dict(accept["headers"])[b"x-served-by"]) == ("chat", b"A")
    (line,) = cookies(accept)
    assert line.startswith("__Host-anon=")
    assert socket.jar.refused == []
    again, _ = await socket.websocket("/visit")
    assert cookies(again) == []
    token = Token.parse(socket.jar.value("__Host-anon") or "")
    assert await sessions.open(token) == {"visits": 2}


async def test_a_sign_in_in_the_handshake_counts(browser: Client, socket: Client) -> None:
    await socket.websocket("/sign_in")
    assert (await browser.get("/me")).json()["subject"] == "alice"


async def test_who_is_not_signed_in_is_refused_before_the_acceptance(socket: Client) -> None:
    """RFC 6455 7.4.1: 1008, a policy; a server that can answer says 401."""
    (close,) = await socket.websocket("/chat")
    assert (close["type"], close["code"]) == ("websocket.close", 1008)
    start, body = await socket.websocket("/chat", **DENIAL)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert body["body"] == b'{"error": "please log in first"}'


async def test_an_expired_session_is_refused_with_the_deletion_of_its_cookie(
    browser: Client, socket: Client, clock: Clock
) -> None:
    await browser.post("/login")
    clock.move(minutes=31)
    start, _ = await socket.websocket("/chat", **DENIAL)
    assert start["status"] == 401
    assert "Max-Age=0" in cookies(start)[0]
    assert socket.jar.cookies == {}


async def test_while_the_store_is_down_who_looks_is_told_to_come_again(
    browser: Client, socket: Client, spy: Spy
) -> None:
    """1013; 503 where the server can answer. Who does not look is connected."""
    await browser.post("/login")
    spy.breaks()
    (close,) = await socket.websocket("/chat")
    assert (close["type"], close["code"]) == ("websocket.close", 1013)
    start, _ = await socket.websocket("/chat", **DENIAL)
    assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"2")
    assert cookies(start) == []
    assert kinds(await socket.websocket("/ticker")) == ["accept", "send"]


async def test_a_handshake_that_could_not_be_stored_is_not_accepted(
    socket: Client, spy: Spy
) -> None:
    spy.down = {"save"}
    (close,) = await socket.websocket("/visit")
    assert (close["type"], close["code"]) == ("websocket.close", 1013)
    assert socket.jar.cookies == {}


async def test_who_does_not_look_gets_no_header(browser: Client, socket: Client) -> None:
    await browser.post("/login")
    accept, _ = await socket.websocket("/ticker")
    assert list(accept["headers"]) == []


async def test_a_bug_before_the_acceptance_saves_nothing(
    sessions: Sessions, socket: Client
) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        await socket.websocket("/fails")
    assert await sessions.count() == 0


async def test_a_bug_after_the_acceptance_is_the_servers(browser: Client, socket: Client) -> None:
    await browser.post("/login")
    with pytest.raises(RuntimeError, match="a bug"):
        await socket.websocket("/fails_late")


async def test_an_end_holds_even_where_the_connection_is_then_refused(
    sessions: Sessions, browser: Client, socket: Client
) -> None:
    await browser.post("/login")
    await socket.websocket("/signs_out_and_refuses")
    assert await sessions.count("alice") == 0


async def test_who_goes_on_sending_after_the_refusal_is_told(sessions: Sessions, spy: Spy) -> None:
    """As after a disconnect: an `OSError`. Else a handler that only sends never ends."""

    async def pushes(scope: Message, receive: Any, send: Any) -> None:
        scope["session"]["a"] = 1
        await send({"type": "websocket.accept"})
        for _ in range(1_000):
            await send({"type": "websocket.send", "text": "tick"})
        raise AssertionError("it would have gone on")

    spy.down = {"save"}
    app = SessionMiddleware(pushes, sessions=sessions)
    assert kinds(await Client(app, scheme="wss").websocket("/")) == ["close"]


async def test_a_socket_that_stays_open_keeps_its_session_alive_by_committing(
    sessions: Sessions, browser: Client, clock: Clock
) -> None:
    """T1: a commit after the first one is activity of its own."""

    async def patient(socket: WebSocket) -> None:
        session = session_of(socket)
        session.require_subject()
        await socket.accept()
        for _ in range(3):
            clock.move(minutes=20)
            await sessions.commit(session)
            await sessions.flush()

    await browser.post("/login")
    app = SessionMiddleware(_route(patient), sessions=sessions)
    await Client(app, jar=browser.jar, scheme="wss").websocket("/")
    assert (await browser.get("/me")).status == 200


async def test_a_session_that_is_ended_meanwhile_is_not_saved_again(
    sessions: Sessions, clock: Clock, spy: Spy
) -> None:
    """R-029: the commit of an open socket drops its changes."""
    browser = Client(shop(sessions), jar=Jar(clock))

    async def late(socket: WebSocket) -> None:
        session = session_of(socket)
        session.require_subject()
        await socket.accept()
        await browser.post("/logout")
        session["late"] = True
        await sessions.commit(session)
        session["later"] = True
        await sessions.commit(session)

    await browser.post("/login")
    app = SessionMiddleware(_route(late), sessions=sessions)
    await Client(app, jar=browser.jar, scheme="wss").websocket("/")
    assert await sessions.count() == 0


async def test_a_login_that_is_refused_with_the_connection_leaves_nothing(
    sessions: Sessions, socket: Client
) -> None:
    """A closed handshake has no headers: nobody could be handed the token."""

    async def refuses(scope: Message, receive: Any, send: Any) -> None:
        scope["session"].sign_in("alice")
        await send({"type": "websocket.close", "code": 1008})

    socket.app = SessionMiddleware(refuses, sessions=sessions)
    await socket.websocket("/")
    assert await sessions.count() == 0
