"""A ticket in the URL opens a WebSocket where no cookie can, and is seen by nobody else (R-110)."""

import logging
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import Sessions
from coatcheck.web import BearerTransport
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.web.client import HOST, Client, Message
from tests.web.line import Line
from tests.web.spy import Spy

APP = "https://app.example"


async def chat(socket: WebSocket) -> None:
    session = session_of(socket)
    session.require_subject()
    await socket.accept()
    await socket.send_json([session.subject, socket.url.query, session.standing.value])
    async for _ in socket.iter_text():
        pass


def client(sessions: Sessions, **settings: Any) -> Client:
    """A browser that has no cookie for us."""
    settings = {"tickets": True, **settings}
    app = Starlette(
        routes=[WebSocketRoute("/chat", chat)],
        middleware=[Middleware(SessionMiddleware, sessions=sessions, **settings)],
    )
    return Client(app, scheme="wss")


async def ticket_of(sessions: Sessions, subject: str = "alice") -> str:
    session = await sessions.open(None)
    session.sign_in(subject)
    return await sessions.issue_ticket(session, origin=APP)


async def shake(client: Client, query: str, *origins: str) -> list[Message]:
    headers = [(b"host", HOST.encode()), *((b"origin", origin.encode()) for origin in origins)]
    return await client.websocket(f"/chat?{query}", headers=headers)


@pytest.mark.usefixtures("every_store")
@pytest.mark.parametrize("transport", [None, BearerTransport()])
async def test_it_opens_a_socket_once_and_the_application_does_not_see_it(
    sessions: Sessions, transport: Any
) -> None:
    browser = client(sessions, transport=transport)
    ticket = await ticket_of(sessions)
    accept, said = await shake(browser, f"room=1&ticket={ticket}&x=%26", APP)
    assert accept["type"] == "websocket.accept"
    assert said["text"] == '["alice","room=1&x=%26","current"]'
    assert not any(name == b"set-cookie" for name, _ in accept["headers"])
    (close,) = await shake(browser, f"ticket={ticket}", APP)
    assert (close["type"], close["code"]) == ("websocket.close", 1008)


@pytest.mark.parametrize("origins", [(), ("https://evil.example",), (APP, APP), ("null",)])
async def test_it_is_worth_nothing_from_another_origin(
    sessions: Sessions, origins: tuple[str, ...]
) -> None:
    ticket = await ticket_of(sessions)
    (close,) = await shake(client(sessions), f"ticket={ticket}", *origins)
    assert close["type"] == "websocket.close"


async def test_two_are_as_good_as_none(sessions: Sessions) -> None:
    one, two = await ticket_of(sessions), await ticket_of(sessions, "bob")
    (close,) = await shake(client(sessions), f"ticket={one}&ticket={two}", APP)
    assert close["type"] == "websocket.close"


async def test_one_that_opens_nothing_is_not_helped_by_a_cookie(
    sessions: Sessions, browser: Client
) -> None:
    """Who presents a ticket says by which way they come: the cookie may be another user's."""
    await browser.post("/login")
    socket = client(sessions)
    socket.jar = browser.jar
    (close,) = await socket.websocket("/chat?ticket=used")
    assert close["type"] == "websocket.close"
    assert (await socket.websocket("/chat"))[0]["type"] == "websocket.accept"


async def test_without_the_option_it_is_the_applications_own(sessions: Sessions, spy: Spy) -> None:
    ticket = await ticket_of(sessions)
    spy.calls.clear()
    (close,) = await shake(client(sessions, tickets=False), f"ticket={ticket}", APP)
    assert close["type"] == "websocket.close"
    assert spy.calls == []


async def test_it_opens_no_request_but_a_handshake(sessions: Sessions) -> None:
    ticket = await ticket_of(sessions)
    seen: list[Any] = []

    async def app(scope: Message, _: Any, send: Any) -> None:
        seen.append((scope["session"].subject, scope["query_string"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    around = SessionMiddleware(app, sessions=sessions, tickets=True)
    await Client(around).get(f"/chat?ticket={ticket}", [("origin", APP)])
    assert seen == [(None, f"ticket={ticket}".encode())]


async def test_over_plain_http_it_opens_nothing(sessions: Sessions) -> None:
    browser = client(sessions)
    browser.scheme = "ws"
    (close,) = await shake(browser, f"ticket={await ticket_of(sessions)}", APP)
    assert close["type"] == "websocket.close"


async def test_a_socket_it_opened_ends_with_its_session(sessions: Sessions) -> None:
    browser, session = client(sessions), await sessions.open(None)
    session.sign_in("alice")
    ticket = await sessions.issue_ticket(session, origin=APP)
    line = Line(browser, f"/chat?ticket={ticket}")
    line.add_header("origin", APP)
    async with line:
        assert (await line.hear())["type"] == "websocket.accept"
        await line.hear()
        await sessions.end_all("alice")
        assert (await line.hear())["code"] == 1008


@pytest.mark.parametrize("is_down", [False, True])
async def test_no_log_has_it(
    sessions: Sessions, spy: Spy, caplog: pytest.LogCaptureFixture, is_down: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    ticket = await ticket_of(sessions)
    spy.down = {"save"} if is_down else set()
    for query in (f"ticket={ticket}", f"ticket={ticket}x", f"ticket={ticket}&ticket=x"):
        for origin in ("https://evil.example", APP):
            await shake(client(sessions), query, origin)
    secret = ticket.partition(".")[2]
    assert secret not in caplog.text
    assert secret not in "".join(map(repr, caplog.records))
