"""The examples of asyncio frameworks run, as on a developer's own machine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import CookieJar, WSServerHandshakeError, web
from aiohttp.test_utils import TestClient as AiohttpClient
from aiohttp.test_utils import TestServer as AiohttpServer
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from coatcheck.testing import log_in
from tests.docs.test_examples import load

HERE = "http://localhost"
LOCAL = ("127.0.0.1", 50_000)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """They make their database where they are run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_fastapi() -> None:
    with TestClient(load("fastapi_app").app, HERE, client=LOCAL) as client:
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("ws://localhost/chat"):
            pass
        assert client.get("/me").status_code == 401
        client.post("/login/alice")
        assert client.get("/me").json() == "alice"
        client.put("/cart/hat")
        assert client.put("/cart/cap").json() == {"cart": {"hat": 1, "cap": 1}}
        with client.websocket_connect("ws://localhost/chat") as socket:
            socket.send_text("hi")
            assert socket.receive_text() == "alice: hi"
        assert client.put("/cart/cap").json()["draft"] == "hi"
        client.post("/logout")
        assert client.get("/me").status_code == 401


def test_step_up() -> None:
    with TestClient(load("step_up").app, HERE, client=LOCAL, follow_redirects=False) as client:
        assert client.post("/login/code", json={"code": "123456"}).status_code == 401
        assert client.post("/login", json={"name": "admin", "password": "guess"}).status_code == 401
        client.post("/login", json={"name": "admin", "password": "opensesame"})
        assert client.get("/account").status_code == 401
        assert client.post("/login/code", json={"code": "000000"}).status_code == 401
        assert client.post("/login/code", json={"code": "123456"}).json() == "welcome, admin"
        assert client.get("/account").status_code == 200
        assert client.post("/as/alice").json() == "admin acts as alice"
        assert client.post("/as/bob").status_code == 403
        assert client.post("/myself").json() == "admin again"


def test_step_up_of_a_password_alone() -> None:
    example, page = load("step_up"), {"Accept": "text/html"}
    with TestClient(example.app, HERE, client=LOCAL, follow_redirects=False) as client:
        log_in(client, example.sessions, "alice", development=True)
        assert client.post("/transfers/100").json() == "done"
        refused = client.post("/transfers/101")
        assert (refused.status_code, refused.json()["acr_values"]) == (401, "aal2")
        there = client.get("/account?a=b", headers=page).headers["location"]
        assert there == "/confirm?next=/account%3Fa%3Db"
        assert client.post(there, json={"code": "000000"}).status_code == 403
        assert client.post(there, json={"code": "123456"}).headers["location"] == "/account?a=b"
        assert client.get("/account").status_code == 200
        evil = client.post("/confirm?next=//evil.example", json={"code": "123456"}).headers[
            "location"
        ]
        assert evil == "/"
        assert client.post("/as/bob").status_code == 403


def test_starlette() -> None:
    with TestClient(load("starlette_app").app, HERE, client=LOCAL) as client:
        assert client.get("/cart").status_code == 401
        assert client.post("/login").json() == {"of": "alice", "looks": ["/cart"]}
        assert client.get("/cart").json()["looks"] == ["/cart", "/cart"]
        client.post("/logout")
        assert client.get("/cart").status_code == 401


def test_litestar() -> None:
    with TestClient(load("litestar_app").app, HERE, client=LOCAL) as client:
        assert client.get("/me").status_code == 401
        client.post("/login")
        assert client.get("/me").text == "alice"
        assert client.post("/cart").json() == {"cart": {"hats": 1}}
        client.post("/logout")
        assert client.get("/me").status_code == 401


async def test_quart() -> None:
    app = load("quart_app").app
    local: dict[str, Any] = {"scope_base": {"client": LOCAL}}
    async with app.test_app() as served:
        client = served.test_client()
        assert (await client.get("/me", **local)).status_code == 401
        await client.post("/login", **local)
        assert await (await client.get("/me", **local)).get_data(as_text=True) == "alice"
        assert await (await client.post("/cart", **local)).get_json() == {"hats": 1}
        async with client.websocket("/chat", **local) as socket:
            await socket.send("hi")
            assert await socket.receive() == "saved"
        await client.post("/logout", **local)
        assert (await client.get("/me", **local)).status_code == 401


@asynccontextmanager
async def browsing(
    app: web.Application,
) -> AsyncGenerator["AiohttpClient[web.Request, web.Application]"]:
    jar = CookieJar(unsafe=True)  # which means: also for addresses
    async with AiohttpClient(AiohttpServer(app), cookie_jar=jar) as client:
        yield client


async def test_aiohttp() -> None:
    async with browsing(load("aiohttp_app").make_app()) as client:
        with pytest.raises(WSServerHandshakeError):
            await client.ws_connect("/chat")
        assert await (await client.post("/login")).json() == "alice"
        assert await (await client.post("/cart")).json() == {"hats": 1}
        async with client.ws_connect("/chat") as socket:
            await socket.send_str("hi")
            assert await socket.receive_str() == "saved"
        await client.post("/logout")
        assert (await client.get("/me")).status == 401


@pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")
async def test_aiohttp_session() -> None:
    async with browsing(load("aiohttp_session_app").make_app()) as client:
        assert await (await client.get("/name")).json() is None
        assert (await client.post("/login")).status == 200
        assert await (await client.get("/name")).json() == "Alice"
        await client.post("/logout")
        assert await (await client.get("/name")).json() is None


def test_control() -> None:
    module = load("control")
    with TestClient(module.app, HERE, client=LOCAL) as client:

        def browser() -> TestClient:
            return TestClient(module.app, HERE, client=LOCAL)

        first, second, third, fourth, root = (browser() for _ in range(5))
        assert first.post("/login/alice?password=wrong").status_code == 403
        for each in (first, second, third):
            assert each.post("/login/alice?password=wonder").json() == []
        asked = fourth.post("/login/alice?password=wonder")
        assert (asked.status_code, len(asked.json()), dict(fourth.cookies)) == (403, 3, {})
        oldest = min(asked.json(), key=lambda info: str(info["created_at"]))["id"]
        chosen = fourth.post(f"/login/alice?password=wonder&instead_of={oldest}")
        assert (chosen.status_code, chosen.json()) == (200, [])
        assert first.get("/").json() == "you were logged out"
        shown = fourth.get("/devices").json()
        assert [info["is_current"] for info in shown].count(True) == 1
        here = next(info["id"] for info in shown if info["is_current"])
        root.post("/login/root?password=root")
        assert root.delete(f"/devices/{here}").status_code == 404
        assert fourth.delete("/devices/unknown").status_code == 404
        fourth.post("/password?password=land")
        assert [each.get("/").json() for each in (second, fourth)] == [
            "you were logged out",
            "hello alice",
        ]
        assert fourth.delete("/sessions?reason=fun").status_code == 403
        assert root.delete("/users/alice?reason=left").json() == 1
        assert fourth.get("/").json() == "you were logged out"
        client.post("/login/root?password=root")
        third.post("/login/root?password=root")
        (id,) = [each["id"] for each in third.get("/devices").json() if each["is_current"]]
        assert root.delete(f"/sessions/{id}?reason=lost").json() is True
        assert third.get("/").json() == "you were logged out"
        assert root.delete("/sessions?reason=stolen").json() == 2
        assert root.get("/").json() == "you were logged out"
        assert client.get("/").json() == "you were logged out"
