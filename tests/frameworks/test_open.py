"""The sockets of each framework are closed when their session is over, and opened by tickets."""

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError, web
from litestar import Litestar, WebSocket
from litestar import websocket as litestar_websocket
from litestar.exceptions import WebSocketDisconnect
from quart import Quart, websocket

from coatcheck import Session
from coatcheck.web import aiohttp as for_aiohttp
from coatcheck.web import quart as for_quart
from coatcheck.web.litestar import CurrentSession, SessionPlugin
from tests.frameworks.aiohttp_server import PROXY
from tests.frameworks.shop import Shop
from tests.frameworks.test_aiohttp import browsing
from tests.web.client import App, Client
from tests.web.line import Line

APP = "https://app.example"
Log = list[str]


def litestar(shop: Shop, log: Log) -> Litestar:
    @litestar_websocket("/chat")
    async def chat(socket: WebSocket[Any, Any, Any], session: CurrentSession) -> None:
        session.require_subject()
        await socket.accept()
        try:
            while True:
                log.append(await socket.receive_text())
                await socket.send_text(socket.url.query)
        except WebSocketDisconnect as gone:
            log.append(f"closed {gone.code}")
            raise

    return Litestar([chat], plugins=[SessionPlugin(shop.sessions, tickets=True)])


def quart(shop: Shop, log: Log) -> Quart:
    app = Quart(__name__)
    for_quart.SessionInterface(app, shop.sessions, tickets=True)

    @app.websocket("/chat")
    async def chat() -> None:
        for_quart.session_of().require_subject()
        await cast("Any", websocket).accept()
        try:
            while True:
                log.append(str(await websocket.receive()))
                await websocket.send(websocket.query_string.decode())
        finally:
            log.append("closed 1008")  # Quart cancels it, and does not say why

    return app


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def log() -> Log:
    return []


@pytest.fixture
async def session(shop: Shop) -> Session:
    session = await shop.sessions.open(None)
    session.sign_in("alice")
    await shop.sessions.commit(session)
    return session


def line_of(app: object, ticket: str) -> Line:
    line = Line(Client(cast("App", app), scheme="wss"), f"/chat?ticket={ticket}&room=1")
    line.add_header("origin", APP)
    return line


@pytest.mark.parametrize("make", [litestar, quart])
async def test_asgi(shop: Shop, session: Session, log: Log, make: Any) -> None:
    ticket = await shop.sessions.issue_ticket(session, origin=APP)
    app = make(shop, log)
    async with line_of(app, ticket) as line:
        assert (await line.hear())["type"] == "websocket.accept"
        line.say("one")
        assert (await line.hear())["text"] == "room=1"
        await shop.sessions.end_all("alice")
        close = await line.hear()
        assert (close["type"], close["code"]) == ("websocket.close", 1008)
        assert await line.done() == []
    assert log == ["one", "closed 1008"]
    assert line.error is None
    async with line_of(app, ticket) as line:
        assert (await line.hear())["type"] == "websocket.close"


@pytest.mark.parametrize("make", [litestar, quart])
async def test_asgi_at_the_time_it_expires(
    shop: Shop, session: Session, log: Log, make: Any
) -> None:
    ticket = await shop.sessions.issue_ticket(session, origin=APP)
    async with line_of(make(shop, log), ticket) as line:
        await line.hear()
        shop.clock.move(minutes=30)
        line.say("late")
        assert (await line.hear())["code"] == 1008
        await line.done()
    assert log == ["closed 1008"]


class Aiohttp:
    """A server whose sessions the test ends."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.log: Log = []
        self.app = web.Application()
        for_aiohttp.setup(self.app, shop.sessions, tickets=True, trusted_proxies=[PROXY])
        for handler in (self.chat, self.pushes, self.stream, self.generated):
            self.app.router.add_get(f"/{handler.__name__}", handler)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        for_aiohttp.session_of(request).require_subject()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            self.log.append(message.data)
            await socket.send_str(f"{request.path_qs} {request.raw_path} {request.query_string}")
        self.log.append(f"closed {socket.close_code}")
        return socket

    async def pushes(self, request: web.Request) -> web.StreamResponse:
        for_aiohttp.session_of(request).require_subject()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await self.end()
        while True:
            await socket.send_str("tick")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        for_aiohttp.session_of(request).require_subject()
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one ")
        await self.end()
        self.shop.clock.move(minutes=1)
        with pytest.raises(OSError, match="over"):
            await response.write(b"two")
        await response.write(b"three")
        raise AssertionError("it would have gone on")

    async def generated(self, request: web.Request) -> web.StreamResponse:
        for_aiohttp.session_of(request).require_subject()

        async def chunks() -> AsyncGenerator[bytes]:
            yield b"one "
            await self.end()
            self.shop.clock.move(minutes=1)
            yield b"two"

        return web.Response(body=chunks())

    async def end(self) -> None:
        await self.shop.sessions.end_all("alice")


@pytest.fixture
async def site(shop: Shop) -> Aiohttp:
    return Aiohttp(shop)


@pytest.fixture
async def client(site: Aiohttp) -> AsyncGenerator[ClientSession]:
    async with browsing(site.app) as browser:
        browser.session.headers["X-Forwarded-Proto"] = "https"
        browser.session.headers["Origin"] = APP
        yield cast("ClientSession", browser)


async def test_aiohttp(shop: Shop, session: Session, site: Aiohttp, client: ClientSession) -> None:
    ticket = await shop.sessions.issue_ticket(session, origin=APP)
    async with client.ws_connect(f"/chat?ticket={ticket}&room=%26") as socket:
        await socket.send_str("one")
        assert await socket.receive_str() == "/chat?room=%26 /chat?room=%26 room=%26"
        await site.end()
        message = await socket.receive()
        assert (message.type, message.data, message.extra) == (
            WSMsgType.CLOSE, 1008, "session ended",
        )  # fmt: skip
    with pytest.raises(WSServerHandshakeError):
        await client.ws_connect(f"/chat?ticket={ticket}")


async def test_aiohttp_at_the_time_it_expires(
    shop: Shop, session: Session, site: Aiohttp, client: ClientSession
) -> None:
    ticket = await shop.sessions.issue_ticket(session, origin=APP)
    async with client.ws_connect(f"/chat?ticket={ticket}") as socket:
        shop.clock.move(minutes=30)
        await socket.send_str("late")
        assert (await socket.receive()).data == 1008
    assert "late" not in site.log


async def test_who_only_pushes_in_aiohttp_is_told(
    shop: Shop, session: Session, client: ClientSession
) -> None:
    ticket = await shop.sessions.issue_ticket(session, origin=APP)
    async with client.ws_connect(f"/pushes?ticket={ticket}") as socket:
        while (message := await socket.receive()).type is WSMsgType.TEXT:
            pass
        assert message.data == 1008


@pytest.mark.parametrize("path", ["/stream", "/generated"])
async def test_streams_of_aiohttp_end(
    shop: Shop, session: Session, client: ClientSession, path: str
) -> None:
    token = (await shop.sessions.rotate(session)).token
    assert token is not None
    cookie = {"Cookie": f"__Host-sid={token.reveal()}"}
    async with client.get(path, headers=cookie) as reply:
        assert await reply.read() == b"one "
