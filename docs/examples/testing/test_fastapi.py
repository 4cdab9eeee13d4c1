"""Tests of an application: a client that is logged in, and a clock that is moved."""

from typing import Any

from fastapi import FastAPI, Request, WebSocket
from starlette.testclient import TestClient

from coatcheck import MemoryStore, Sessions
from coatcheck.testing import Clock, log_in
from coatcheck.web import BearerTransport, Transport
from coatcheck.web.asgi import SessionMiddleware, session_of


def make_app(sessions: Sessions, transport: Transport | None = None) -> FastAPI:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions, transport=transport)

    @app.get("/cart")
    async def cart(request: Request) -> Any:
        session_of(request).require_subject()
        return request.session.get("cart", {})

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        user = session_of(socket).require_subject()
        await socket.accept()
        await socket.send_text(f"hello {user}")

    return app


# part: log_in
def test_the_cart_is_shown() -> None:
    sessions = Sessions(MemoryStore())
    client = TestClient(make_app(sessions), "https://shop.test")
    log_in(client, sessions, "alice", {"cart": {"hat": 1}})
    assert client.get("/cart").json() == {"hat": 1}


# end part
# part: clock
def test_half_an_hour_of_nothing_logs_out() -> None:
    clock = Clock()
    sessions = Sessions(MemoryStore(), clock=clock)
    client = TestClient(make_app(sessions), "https://shop.test")
    log_in(client, sessions, "alice")
    clock.move(minutes=29)
    assert client.get("/cart").status_code == 200
    clock.move(minutes=31)
    assert client.get("/cart").status_code == 401


# end part
# part: websocket
def test_the_chat_says_hello() -> None:
    sessions = Sessions(MemoryStore())
    client = TestClient(make_app(sessions), "https://shop.test")
    log_in(client, sessions, "alice")
    with client.websocket_connect("wss://shop.test/chat") as socket:
        assert socket.receive_text() == "hello alice"


# end part
# part: bearer
def test_an_api_is_shown_its_token_in_a_header() -> None:
    sessions, transport = Sessions(MemoryStore()), BearerTransport()
    client = TestClient(make_app(sessions, transport), "https://shop.test")
    headers = log_in(None, sessions, "alice", transport=transport)
    assert client.get("/cart", headers=headers).json() == {}


# end part
