"""Every example of the documentation runs."""

import importlib.util
import sys
import warnings
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from coatcheck.testing import WsgiDriver

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
HTTPS = "https://shop.test"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Pyramid looks its caller up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def parts(here: Path) -> Generator[Any]:
    module = load("parts")
    with TestClient(module.app, HTTPS, client=("10.0.0.1", 50000)) as client:
        yield module, client


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "flask_shop", "hello", "parts", "threads", "wsgi_apps",
    }  # fmt: skip


def test_hello(here: Path) -> None:
    with TestClient(load("hello").app, "http://localhost", client=("127.0.0.1", 5)) as client:
        assert [client.get("/").json()["visits"] for _ in range(3)] == [1, 2, 3]
        assert client.get("/me").status_code == 401
        client.post("/login")
        assert client.get("/me").json() == "alice"
        assert client.get("/").json() == {"visits": 4}
        client.post("/logout")
        assert client.get("/me").status_code == 401
    assert (here / "hello.db").stat().st_mode & 0o077 == 0


def test_parts(parts: Any) -> None:
    module, client = parts
    client.post("/login/alice")
    for _ in range(3):
        client.post("/like")
    assert client.get("/unread").json() == 0
    assert len(client.get("/devices").json()) == 1
    other = TestClient(module.app, HTTPS)
    other.post("/login/alice")
    ids = [device["id"] for device in client.get("/devices").json()]
    assert len(ids) == 2
    assert client.post("/devices/end-others").json() == 1
    assert other.get("/devices").status_code == 401
    assert client.delete(f"/devices/{ids[0]}").json() in (True, False)


def test_a_socket_and_a_stream(parts: Any) -> None:
    module, client = parts
    client.post("/login/alice")
    with client.websocket_connect("wss://shop.test/chat") as socket:
        socket.send_text("hi")
        assert socket.receive_text() == "saved"
        client.post("/logout")
        socket.send_text("anybody there?")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()
    client.post("/login/alice")
    assert client.get("/export").text == "0\n1\n2\n"
    assert [info.subject for info in client.portal.call(module.sessions.list, "alice")] == ["alice"]


def test_bearer(parts: Any) -> None:
    module, _ = parts
    client = TestClient(module.api, HTTPS)
    answer = client.post("/login")
    token = answer.json()["token"]
    assert answer.headers["Session-Token"] == token
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/me", headers=headers).json() == "alice"
    assert client.get("/me").status_code == 401


async def test_privileges(parts: Any) -> None:
    module, _ = parts
    session = await module.sessions.open(None)
    session.sign_in("bob")
    token = (await module.sessions.commit(session)).token
    for change in (module.second_factor_checked, module.role_changed):
        session = await module.sessions.open(token)
        await change(session)
        token = (await module.sessions.commit(session)).token
        assert token is not None
    session = await module.sessions.open(token)
    await module.password_changed(session, "bob")
    assert (await module.sessions.commit(session)).token is not None


def test_threads(here: Path) -> None:
    module = load("threads")
    cookie = module.handle("")
    assert module.handle(cookie) is None
    assert module.sessions.list("alice")[0].subject == "alice"
    module.sessions.close()
    assert (here / "threads.db").exists()


def test_flask(here: Path) -> None:
    module = load("flask_shop")
    client, other = module.app.test_client(), module.app.test_client()
    assert client.post("/cart/hat").json == {"cart": {"hat": 1}, "changes": 1}
    for browser in (client, other):
        assert browser.post("/login/alice").text == "hello alice"
    assert client.post("/cart/mug").json["cart"] == {"hat": 1, "mug": 1}
    assert len(client.get("/devices").json) == 2
    assert client.post("/devices/end-others").text == "1"
    assert other.get("/devices").status_code == 401
    client.post("/logout")
    assert client.get("/devices").status_code == 401
    module.sessions.close()


def test_wsgi(here: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pyramid imports what is about to be dropped
        module = load("wsgi_apps")
    replies = [WsgiDriver(app).send("GET", "/login") for app in (module.bare, module.pyramid)]
    assert replies[0].json() == {"visits": 1}
    (cookie,) = replies[1].all("set-cookie")
    bottled = WsgiDriver(module.bottled)
    assert bottled.send("GET", "/me", {"Cookie": cookie.partition(";")[0]}).body == b"alice"
    assert bottled.send("GET", "/me").status == 401
    module.sessions.close()
