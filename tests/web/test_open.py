"""WebSockets and streams end with their session (R-109), whatever the application does."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from coatcheck import Event, Policy, Sessions, Token
from coatcheck.testing import Clock
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.web.client import App, Client, Message, Receive, Send
from tests.web.line import Line
from tests.web.spy import Spy

ENDED: Message = {"type": "websocket.close", "code": 1008, "reason": "session ended"}
LAST: Message = {"type": "http.response.body", "body": b"", "more_body": False}


@pytest.fixture
def sessions(spy: Spy, clock: Clock, events: list[Event]) -> Sessions:
    policy = Policy(watch_every=timedelta(milliseconds=20))
    return Sessions(spy.store, policy=policy, clock=clock, on_event=events.append)


class Said:
    """What reached the application."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.code: int | None = None
        self.going_on = asyncio.Event()


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def app(sessions: Sessions, said: Said) -> Starlette:
    async def chat(socket: WebSocket) -> None:
        session_of(socket).require_subject()
        await socket.accept()
        try:
            while True:
                said.texts.append(await socket.receive_text())
                await socket.send_text("heard")
        except WebSocketDisconnect as gone:
            said.code = gone.code

    async def commits(socket: WebSocket) -> None:
        session = session_of(socket)
        session.require_subject()
        await socket.accept()
        async for text in socket.iter_text():
            session["said"] = text
            await sessions.commit(session)
            await socket.send_text("saved")

    async def pushes(socket: WebSocket) -> None:
        session_of(socket).require_subject()
        await socket.accept()
        while True:
            await said.going_on.wait()
            await socket.send_text("tick")

    async def looks_late(socket: WebSocket) -> None:
        await socket.accept()
        async for _ in socket.iter_text():
            await socket.send_text(session_of(socket).require_subject())

    async def events(request: Request) -> Response:
        session_of(request).require_subject()

        async def ticks() -> AsyncGenerator[str]:
            yield "data: tick\n\n"
            await said.going_on.wait()
            yield "data: secret\n\n"

        headers = {"content-length": "26"} if "length" in request.url.query else {}
        return StreamingResponse(ticks(), headers=headers)

    return Starlette(
        routes=[
            *(WebSocketRoute(f"/{h.__name__}", h) for h in (chat, commits, pushes, looks_late)),
            Route("/events", events),
        ],
        middleware=[Middleware(SessionMiddleware, sessions=sessions)],
    )


@pytest.fixture
async def socket(app: Starlette, browser: Client) -> Client:
    """The WebSockets of a browser that is signed in."""
    await browser.post("/login")
    return Client(app, jar=browser.jar, scheme="wss")


async def leaves_nothing(sessions: Sessions) -> bool:
    """Tell whether nobody looks after anything any more."""
    return not sessions._lookout._rounds  # pyright: ignore[reportPrivateUsage]


async def test_a_socket_is_closed_and_its_application_told(
    sessions: Sessions, socket: Client, said: Said
) -> None:
    async with Line(socket, "/chat") as line:
        assert (await line.hear())["type"] == "websocket.accept"
        line.say("one")
        assert (await line.hear())["text"] == "heard"
        await sessions.end_all("alice")
        assert await line.hear() == ENDED
        assert await line.done() == []
    assert (said.texts, said.code, line.error) == (["one"], 1008, None)
    assert await leaves_nothing(sessions)


async def test_a_socket_is_closed_by_a_server_that_refuses_the_protocols_own_codes(
    app: Starlette, browser: Client, said: Said
) -> None:
    """As daphne does. Fails when its error is taken for a client that is gone: it stays open."""
    await browser.post("/login")

    async def picky(scope: Message, receive: Receive, send: Send) -> None:
        async def send_some(message: Message) -> None:
            if 1000 < message.get("code", 1000) < 3000:
                raise ValueError("must be 1000 or from [3000, 4999]")
            await send(message)

        await app(scope, receive, send_some)

    async with Line(Client(picky, jar=browser.jar, scheme="wss"), "/chat") as line:
        await line.hear()
        await browser.post("/logout")
        assert await line.hear() == {**ENDED, "code": 4008}
        assert await line.done() == []
    assert (said.code, line.error) == (1008, None)


async def test_a_logout_closes_the_sockets_of_the_browser(browser: Client, socket: Client) -> None:
    async with Line(socket, "/chat") as one, Line(socket, "/chat") as two:
        for line in (one, two):
            await line.hear()
        await browser.post("/logout")
        assert [await line.hear() for line in (one, two)] == [ENDED, ENDED]


@pytest.mark.parametrize(("steps", "minutes"), [(0, 30), (24, 2)], ids=["idle", "absolute"])
async def test_what_is_said_after_the_session_expired_is_not_processed(
    socket: Client, clock: Clock, said: Said, steps: int, minutes: int
) -> None:
    """Exactly then, whenever the next look would be. Activity does not prolong the absolute end."""
    async with Line(socket, "/commits" if steps else "/chat") as line:
        await line.hear()
        for _ in range(steps):
            clock.move(minutes=30, seconds=-5)
            line.say("early")
            await line.hear()
        clock.move(minutes=minutes)
        line.say("late")
        assert await line.hear() == ENDED
    assert said.texts == []


async def test_messages_alone_keep_no_session_alive(
    socket: Client, clock: Clock, said: Said
) -> None:
    async with Line(socket, "/chat") as line:
        await line.hear()
        clock.move(minutes=29)
        line.say("in time")
        await line.hear()
        clock.move(minutes=1)
        line.say("late")
        assert await line.hear() == ENDED
    assert said.texts == ["in time"]


async def test_who_only_sends_is_told_as_after_a_disconnect(
    sessions: Sessions, socket: Client, said: Said
) -> None:
    async with Line(socket, "/pushes") as line:
        await line.hear()
        await sessions.end_all("alice")
        assert await line.hear() == ENDED
        said.going_on.set()
        assert await line.done() == []
    assert line.error is None


async def test_who_looks_when_the_socket_is_open_is_looked_after_from_then_on(
    sessions: Sessions, socket: Client
) -> None:
    async with Line(socket, "/looks_late") as line:
        await line.hear()
        assert await leaves_nothing(sessions)
        line.say("who am I")
        assert (await line.hear())["text"] == "alice"
        line.say("and now?")
        await line.hear()
        await sessions.end_all("alice")
        assert await line.hear() == ENDED


async def test_a_socket_that_closes_by_itself_leaves_nothing(
    sessions: Sessions, socket: Client
) -> None:
    async with Line(socket, "/chat") as one, Line(socket, "/pushes") as two:
        for line in (one, two):
            await line.hear()
        assert not await leaves_nothing(sessions)
        one.hang_up()
        await one.done()
        two.task.cancel()
        await asyncio.wait([two.task])
        assert await leaves_nothing(sessions)
    await sessions.end_all("alice")
    assert await one.done() == []


async def test_an_application_that_closes_is_closed_once(
    sessions: Sessions, browser: Client
) -> None:
    is_over = asyncio.Event()

    async def polite(scope: Message, receive: Receive, send: Send) -> None:
        scope["session"].require_subject()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4000})
        assert sessions.watch(scope["session"], lambda _: is_over.set()) is not None
        await sessions.end_all("alice")
        await is_over.wait()
        await asyncio.sleep(0)

    await browser.post("/login")
    assert [m["type"] for m in await _heard(polite, sessions, browser)] == [
        "websocket.accept", "websocket.close",
    ]  # fmt: skip


async def test_what_an_application_says_after_the_end_goes_nowhere(
    sessions: Sessions, browser: Client
) -> None:
    """Its own close would be a second one; what it raises over the first is nobody's error."""

    async def deaf(scope: Message, receive: Receive, send: Send) -> None:
        scope["session"].require_subject()
        await send({"type": "websocket.accept"})
        await receive()
        await sessions.end_all("alice")
        assert (await receive())["code"] == 1008
        assert (await receive())["type"] == "websocket.disconnect"
        with pytest.raises(OSError, match="over"):
            await send({"type": "websocket.send", "text": "psst"})
        await send({"type": "websocket.close", "code": 1000})
        raise LookupError("what it looked for")

    await browser.post("/login")
    assert (await _heard(deaf, sessions, browser))[1:] == [ENDED]


async def _heard(app: App, sessions: Sessions, browser: Client) -> list[Message]:
    client = Client(SessionMiddleware(app, sessions=sessions), jar=browser.jar, scheme="wss")
    async with Line(client, "/") as line:
        heard = await line.done()
        assert line.error is None
    return heard


async def test_an_application_that_is_cancelled_at_that_moment_is_cancelled(
    sessions: Sessions, socket: Client
) -> None:
    """Fails when the end of a session and the end of the server are taken for one another."""
    async with Line(socket, "/chat") as line:
        await line.hear()
        session = await sessions.open(Token.parse(socket.jar.value("__Host-sid") or ""))
        assert sessions.watch(session, lambda _: line.task.cancel()) is not None
        await sessions.end_all("alice")
        assert await line.hear() == ENDED
        await asyncio.wait([line.task])
        assert line.task.cancelled()


async def test_an_outage_closes_with_a_code_that_says_come_again(
    socket: Client, clock: Clock, spy: Spy
) -> None:
    async with Line(socket, "/chat") as line:
        await line.hear()
        spy.breaks()
        clock.move(seconds=59)
        line.say("still there?")
        assert (await line.hear())["text"] == "heard"
        clock.move(seconds=1)
        assert (await line.hear())["code"] == 1013


async def test_a_stream_ends_before_its_next_chunk(
    sessions: Sessions, app: Starlette, browser: Client, said: Said
) -> None:
    await browser.post("/login")
    async with Line(Client(app, jar=browser.jar), "/events") as line:
        assert (await line.hear())["status"] == 200
        assert (await line.hear())["body"] == b"data: tick\n\n"
        await sessions.end_all("alice")
        assert await line.hear() == LAST
        said.going_on.set()
        assert await line.done() == []
    assert line.error is None
    assert await leaves_nothing(sessions)


async def test_a_stream_ends_at_the_very_time_its_session_does(
    app: Starlette, browser: Client, clock: Clock, said: Said
) -> None:
    await browser.post("/login")
    async with Line(Client(app, jar=browser.jar), "/events") as line:
        await line.hear()
        await line.hear()
        clock.move(minutes=30)
        said.going_on.set()
        assert await line.hear() == LAST
        assert await line.done() == []


async def test_a_stream_that_has_a_length_is_sent_whole(
    sessions: Sessions, app: Starlette, browser: Client, said: Said
) -> None:
    """It ends by itself, and HTTP cannot end it before without breaking the connection."""
    await browser.post("/login")
    async with Line(Client(app, jar=browser.jar), "/events?length") as line:
        await line.hear()
        await line.hear()
        assert await leaves_nothing(sessions)
        said.going_on.set()
        assert (await line.hear())["body"] == b"data: secret\n\n"


async def test_whose_session_goes_on_is_served_to_the_end(
    app: Starlette, sessions: Sessions, browser: Client, said: Said
) -> None:
    await browser.post("/login")
    said.going_on.set()
    reply = await Client(app, jar=browser.jar).get("/events")
    assert reply.body == b"data: tick\n\ndata: secret\n\n"
    assert await leaves_nothing(sessions)


async def test_nothing_is_looked_at_for_those_who_have_no_session(
    sessions: Sessions, spy: Spy
) -> None:
    async def public(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": "hello"})
        assert await leaves_nothing(sessions)

    client = Client(SessionMiddleware(public, sessions=sessions), scheme="wss")
    async with Line(client, "/") as line:
        await line.done()
    assert line.error is None
    assert spy.calls == []
