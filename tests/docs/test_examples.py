"""Every example of the documentation runs."""

import asyncio
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Generator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from coatcheck import Action, Drift, Keyring
from coatcheck.errors import SecretInSession
from coatcheck.testing import Clock
from coatcheck.tokens import SigningKeys
from tests.doctor.conftest import served
from tests.servers import program

DJANGO = """
import django_site
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

call_command("migrate", verbosity=0)
alice = User.objects.create_user("alice", password="wonder")
client, other = Client(), Client()
assert client.get("/cart", secure=True).json() == {"hat": 1}
for each in (client, other):
    assert each.post("/login", {"password": "wrong"}, secure=True).status_code == 403
    each.post("/login", {"password": "wonder"}, secure=True)
for _ in range(3):
    client.get("/like", secure=True)
assert client.get("/me", secure=True).content == b"alice"
assert [info.subject for info in django_site.sessions.list(str(alice.pk))] == [str(alice.pk)] * 2
client.post("/password", {"password": "land"}, secure=True)
assert client.get("/me", secure=True).content == b"alice"
assert other.get("/me", secure=True).content == b"AnonymousUser"
assert client.get("/cart", secure=True).json() == {"hat": 1}
django_site.sessions.close()
"""
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
    sys.modules[spec.name] = module  # Litestar and Pyramid look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def parts(here: Path) -> Generator[Any]:
    module = load("parts")
    with TestClient(module.app, HTTPS, client=("10.0.0.1", 50000)) as client:
        yield module, client


def test_every_example_is_run_here() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    run = set(re.findall(r'(?:load\("|^import )(\w+)', tests, re.MULTILINE))
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= run


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
    (own,) = (device["id"] for device in client.get("/devices").json())
    (ended,) = set(ids) - {own}
    assert client.delete(f"/devices/{ended}").json() is False
    assert client.delete(f"/devices/{own}").json() is True
    assert client.get("/devices").status_code == 401


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


@pytest.mark.usefixtures("here")
def test_tickets() -> None:
    origin = {"Origin": "https://app.example"}
    with TestClient(load("tickets").app, HTTPS) as client:
        token = client.post("/login").headers["Session-Token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert client.post("/ticket").status_code == 401
        ticket = client.post("/ticket", headers=bearer).json()
        url = f"wss://shop.test/chat?ticket={ticket}"
        with client.websocket_connect(url, headers=origin) as socket:
            socket.send_text("hi")
            assert socket.receive_text() == "alice: hi"
        for again in (url, "wss://shop.test/chat"):
            with (
                pytest.raises(WebSocketDisconnect),
                client.websocket_connect(again, headers=origin),
            ):
                pass


@pytest.mark.usefixtures("here")
def test_access_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails when a part of the way is missing: sign in, get a token, have it taken, log out."""
    monkeypatch.setenv("COATCHECK_SIGNING_KEYS", SigningKeys.new_key())
    shop = load("access_tokens")
    with served(shop.app) as url, TestClient(shop.app, HTTPS) as browser:
        assert browser.post("/token").status_code == 401
        browser.post("/login")
        answer = browser.post("/token")
        assert answer.headers["Cache-Control"] == "no-store"
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 300)
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}

        monkeypatch.setenv("SHOP", url)
        service = load("access_service")
        service.keys.refresh()
        orders = TestClient(service.app, HTTPS)
        assert orders.get("/health").json() == "ok"
        assert orders.get("/orders").headers["WWW-Authenticate"] == "Bearer"
        assert orders.get("/orders", headers=bearer).json() == ["an order of alice"]
        assert orders.post("/refunds", headers=bearer).json().startswith("refunded, in session ")
        assert (
            'acr_values="aal2"'
            in (orders.post("/payouts", headers=bearer).headers["WWW-Authenticate"])
        )
        module = load("access_flask")
        module.keys.refresh()
        flask = module.app.test_client()
        assert flask.get("/orders").status_code == 401
        assert flask.get("/orders", headers=bearer).text == "an order of alice"
        refused = flask.post("/payouts", headers=bearer)
        assert (refused.status_code, refused.headers["WWW-Authenticate"][:13]) == (
            401,
            "Bearer error=",
        )
        module = load("access_live")
        module.keys.refresh()
        live = TestClient(module.app, HTTPS)
        assert live.get("/orders", headers=bearer).json() == "alice"
        browser.post("/logout")
        assert live.get("/orders", headers=bearer).status_code == 401
        assert orders.get("/orders", headers=bearer).status_code == 200


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


async def test_encryption(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Keyring.new_key(), Keyring.new_key()
    monkeypatch.setenv("COATCHECK_KEYS", old)
    module = load("encrypted")
    with TestClient(module.app, HTTPS) as client:
        client.post("/login")
        client.post("/note/" + "chestnut" * 500)
    stored = [record.payload for record in (await module.sessions._store.page(None, None, 9))[0]]
    assert [(payload[:1], len(payload) < 200) for payload in stored] == [(b"\x02", True)]
    monkeypatch.setenv("COATCHECK_KEYS", f"{new} {old}")
    with TestClient(load("encrypted").app, HTTPS, cookies=client.cookies) as later:
        assert later.get("/note").json() == "chestnut" * 500
        later.post("/note/hazelnut")
    monkeypatch.setenv("COATCHECK_KEYS", new)
    with TestClient(load("encrypted").app, HTTPS, cookies=client.cookies) as later:
        assert later.get("/note").json() == "hazelnut"
    assert await load("encrypting").sessions.count() == 1


def test_abuse(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COATCHECK_KEYS", Keyring.new_key())
    module = load("abuse")
    module.sessions._clock.now = Clock(1_700_000_040_000)  # a full minute is left
    proxied = {"X-Forwarded-For": "203.0.113.5", "X-Forwarded-Proto": "https"}
    with TestClient(module.app, HTTPS, client=("10.0.0.1", 50000), headers=proxied) as client:
        for n in range(30):
            assert client.post(f"/cart/{n}", headers={"Cookie": ""}).status_code == 200
            client.cookies.clear()
        answer = client.post("/cart/hat")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert client.post("/login").status_code == 200
        assert client.get("/me").json() == "alice"
        client.cookies.clear()
        guess = {"Cookie": "__Host-sid=guess"}
        statuses = [client.get("/me", headers=guess).status_code for _ in range(201)]
        assert statuses == [401] * 200 + [429]


def test_a_django_site(here: Path) -> None:
    """In a process of its own: one serves one site."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(EXAMPLES), *sys.path])}
    run = subprocess.run([sys.executable, "-W", "error", "-c", DJANGO], env=environment, check=True)
    assert run.returncode == 0
    assert (here / "sessions.db").exists()


def test_threads(here: Path) -> None:
    module = load("threads")
    cookie = module.handle("")
    assert module.handle(cookie) is None
    assert module.sessions.list("alice")[0].subject == "alice"
    module.sessions.close()
    assert (here / "threads.db").exists()


def test_typed() -> None:
    with TestClient(load("typed").app, HTTPS) as client:
        assert client.get("/").json() == "en: 0 kinds of things"
        assert not client.cookies
        client.post("/language/de")
        client.post("/cart/hat")
        client.post("/cart/hat")
        assert client.get("/").json() == "de: 1 kinds of things"


def test_audit(here: Path) -> None:
    module = load("audit")
    with TestClient(module.app, HTTPS, client=("198.51.100.7", 50000)) as client:
        client.post("/login/alice")
        stale = client.cookies["__Host-sid"]
        with pytest.raises(SecretInSession, match="password holds"):
            client.post("/remember/password", params={"value": "hunter2"})
        client.post("/remember/calendar_token", params={"value": "k9" + "x7Qa" * 8})
        (session,) = asyncio.run(module.sessions.list("alice"))
        client.post("/login/eve")
        assert client.delete(f"/admin/sessions/{session.id}").json() is False  # it moved
        client.cookies = {"__Host-sid": stale}
        client.delete(f"/admin/sessions/{session.id}")
        asyncio.run(module.disable("eve"))
    asyncio.run(module.sessions.flush())
    lines = [json.loads(line) for line in Path("audit.log").read_text().splitlines()]
    lines.sort(key=lambda line: line["time"])  # what is written behind may come later
    told = [(line["event"], line.get("subject"), line.get("actor")) for line in lines]
    assert told == [
        ("session_created", "alice", "user"),
        ("session_ended", "alice", "user"),
        ("session_created", "eve", "user"),
        ("token_refused", None, None),
        ("session_ended", "eve", "administrator:the nightly clean-up"),
        ("sessions_ended", "eve", "administrator:the nightly clean-up"),
    ]
    assert module.alarms == [f"{session.id} from 198.51.100.7"]


def test_the_tests_that_are_examples() -> None:
    examples = str(EXAMPLES / "testing")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", examples]
    done = subprocess.run(
        command, cwd=EXAMPLES.parents[1], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_moving_a_starlette_application(here: Path) -> None:
    """As all of these, on the developer's own machine: it says `development=True`."""
    app = load("moving/starlette").app
    with TestClient(app, "http://localhost", client=("127.0.0.1", 5)) as client:
        client.post("/cart")
        client.post("/login")
        assert client.get("/me").json() == "alice"
        assert client.post("/cart").json() == ["hat", "hat"]
        client.post("/logout")
        assert client.get("/me").status_code == 401


def test_moving_a_flask_application(here: Path) -> None:
    client = load("moving/flask").app.test_client()
    client.post("/cart")
    client.post("/login")
    assert client.get("/me").text == "alice"
    assert client.post("/cart").json == ["hat", "hat"]
    client.post("/logout")
    assert client.get("/me").status_code == 401


def test_flask(here: Path) -> None:
    module = load("flask_app")
    client, other = module.app.test_client(), module.app.test_client()
    assert client.get("/me").status_code == 401
    assert client.post("/cart/hat").json == {"cart": {"hat": 1}, "changes": 1}
    good = {"name": "alice", "password": "wonderland"}
    for wrong in ({**good, "password": "no"}, {**good, "name": "nobody"}):
        assert client.post("/login", data=wrong).status_code == 401
    for browser in (client, other):
        assert browser.post("/login", data=good).text == "hello alice"
    assert client.get("/me").text == "alice"
    assert client.post("/cart/mug").json["cart"] == {"hat": 1, "mug": 1}
    assert len(client.get("/devices").json) == 2
    assert client.post("/devices/end-others").text == "1"
    assert other.get("/devices").status_code == 401
    client.post("/logout")
    assert client.get("/me").status_code == 401
    module.sessions.close()


def test_flask_login(here: Path) -> None:
    module = load("flask_shop")
    client, other = module.app.test_client(), module.app.test_client()
    for browser in (client, other):
        assert browser.post("/login/alice").text == "hello alice"
    assert client.post("/devices/end-others").text == "1"
    assert other.get("/me").status_code == 401
    assert client.get("/me").text == "alice"
    client.post("/logout")
    assert client.get("/me").status_code == 401
    module.sessions.close()


def test_front_end(here: Path) -> None:
    """In a browser: tests/browser/test_front_end.py."""
    module = load("front_end")
    login = {"name": "alice", "password": "wonderland"}
    pages = {"Origin": module.PAGES}
    with TestClient(module.app, "http://localhost:8000", client=("127.0.0.1", 5)) as client:
        asked = {**pages, "Access-Control-Request-Method": "POST"}
        assert client.options("/api/login", headers=asked).status_code == 200
        for headers, status in (({"Origin": "http://localhost:3000"}, 403), (pages, 200)):
            assert client.post("/api/login", json=login, headers=headers).status_code == status
        client.cookies.clear()
        reply = client.get("/api/me", headers=pages)
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (401, module.PAGES)
    page = (EXAMPLES.parent / "how-to" / "front-end.md").read_text()
    (passed_on,) = re.findall(r'proxy: \{ "(.+?)":', page)
    paths = [route.path for route in module.app.routes if isinstance(route, APIRoute)]
    assert len(paths) == 3
    assert {path.removeprefix(passed_on) for path in paths} == {"/login", "/me", "/logout"}


def test_csrf() -> None:
    with TestClient(load("csrf").app, HTTPS) as client:
        assert client.post("/login").status_code == 200
        for origin, status in [
            (HTTPS, 200),
            ("https://admin.example.com", 200),
            ("https://example.com:8443", 200),
            ("https://example.com", 403),
        ]:
            reply = client.post("/transfer", headers={"Origin": origin})
            assert reply.status_code == status, origin
            assert client.post("/webhooks/paid", headers={"Origin": origin}).text == "noted"


def test_csrf_in_flask() -> None:
    module = load("csrf_flask")
    client = module.app.test_client()
    page = client.get("/login", base_url=HTTPS).text
    (token,) = re.findall(r'name="csrf_token" value="([^"]+)"', page)
    assert client.post("/login", base_url=HTTPS).status_code == 403
    reply = client.post("/login", data={"csrf_token": token}, base_url=HTTPS)
    assert reply.text == "welcome"
    assert client.post("/login", data={"csrf_token": token}, base_url=HTTPS).status_code == 403
    module.sessions.close()


def test_wsgi(here: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pyramid imports what is about to be dropped
        module = load("wsgi_apps")
    bare, pyramid, bottled = (
        httpx.Client(transport=httpx.WSGITransport(app), base_url="http://localhost")
        for app in (module.bare, module.pyramid, module.bottled)
    )
    assert [bare.get("/").json()["visits"] for _ in range(2)] == [1, 2]
    assert bottled.get("/me").status_code == 401
    assert pyramid.get("/login").text == "hello alice"
    bottled.cookies = pyramid.cookies
    assert bottled.get("/me").text == "alice"
    module.sessions.close()


def test_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    module = load("profiles")
    described = capsys.readouterr().out
    assert "absolute           13 h" in described
    assert "no. 112" in described
    assert "cookie same_site   Strict" in described
    user = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0", "Accept-Language": "de"}
    thief = {"User-Agent": "curl/8.14.1"}
    client = TestClient(module.app, HTTPS, follow_redirects=False)
    assert client.get("/account", headers=user).headers["location"] == "/login"
    client.post("/login/alice", headers=user)
    assert client.get("/balance", headers=user).json() == {"of": "alice", "is": 7}
    assert client.get("/balance", headers=thief).status_code == 401
    assert client.get("/account", headers=thief).headers["location"] == "/login?again"
    assert [subject for subject, _ in module.outbox] == ["alice"]
    client.post("/login/alice", headers=thief)
    assert client.get("/account", headers=thief).json() == {"of": "alice", "draft": None}
    assert module.own.binding(Drift.ADDRESS) is Action.OBSERVE


def test_login(here: Path) -> None:
    """By the lines that the page prints, on a real server.

    Fails when one of them answers anything but what stands beside it.
    """
    page = (EXAMPLES.parent / "how-to" / "login.md").read_text()
    lines = re.findall(r"^(curl .*?) +# (.*?)(?:: how many.*)?$", page, re.MULTILINE)
    assert len(lines) == 7
    with served(load("login").app) as url:
        for line, answer in lines:
            words = shlex.split(line.replace("localhost:8000", url.removeprefix("http://")))
            words[0] = program("curl")
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            pattern = ".+".join(map(re.escape, answer.split("...")))
            assert re.fullmatch(pattern, done.stdout), line
        with httpx.Client(base_url=url) as first, httpx.Client(base_url=url) as second:
            good = {"name": "alice", "password": "wonderland"}
            for client in (first, second):
                assert client.post("/login", json={**good, "name": "bob"}).status_code == 401
                assert client.post("/login", json=good).status_code == 200
            (other,) = [
                info["id"] for info in first.get("/devices").json() if not info["is_current"]
            ]
            assert first.delete(f"/devices/{other}").status_code == 200
            assert first.delete(f"/devices/{other}").status_code == 404
            assert second.get("/me").status_code == 401
            second.post("/login", json=good)
            assert first.post("/logout-everywhere").json() == 1
            assert second.get("/me").status_code == 401
            second.post("/login", json=good)
            second.post("/logout")
            assert second.get("/me").status_code == 401
