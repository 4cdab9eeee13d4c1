"""R-107 in applications: pages of errors, in debug mode too, and what adapters and servers log."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.debug import ExceptionReporter
from flask import Flask
from flask.testing import FlaskClient
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from werkzeug.debug import DebuggedApplication

from coatcheck import BlockingSessions, MemoryStore, Policy, Secrets, Sessions, Token
from coatcheck.errors import StoreUnavailable
from coatcheck.observe import Audit, JSONFile, JSONLog
from coatcheck.parts import log
from coatcheck.waiting import finish
from coatcheck.web import BearerTransport
from coatcheck.web.asgi import session_of
from coatcheck.web.django import session_of as session_of_django
from coatcheck.web.flask import SessionInterface
from coatcheck.web.flask import session_of as session_of_flask
from tests.frameworks.django_site import Browser, site
from tests.observe.hunt import DATA, Hunt
from tests.web.app import shop
from tests.web.client import Client, Reply

POLICY = Policy(secrets=Secrets.REPORT, max_size=1_000)
TOKEN = re.compile(r"[\w-]{22}\.[\w-]{22}\.[\w-]{43}")


class Flaky(MemoryStore):
    """Is away on demand."""

    is_away = False

    async def load(self, id: str, /) -> Any:
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().load(id)

    async def save(self, record: Any, base: Any, /) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        await super().save(record, base)


@pytest.fixture
def store() -> Flaky:
    return Flaky()


@pytest.fixture
def listener(tmp_path: Path) -> Audit:
    return Audit(JSONFile(tmp_path / "shop.audit"), JSONLog(), log)


def do(session: Any, what: str) -> None:
    """Do what a page does before it fails, or what makes the commit fail."""
    match what:
        case "login":
            session.sign_in("alice")
            session["address"] = DATA
        case "large":
            session["large"] = DATA * 100
        case "odd":
            session["odd"] = {DATA, (DATA, object())}
        case "password":
            session["password"] = DATA
        case "edit":
            session.edit(put_something_odd)
        case "sign_in":
            session["odd"] = [DATA, {"x": object()}]
            session.sign_in("alice")  # as another, what is odd would be gone
        case "bug":
            session["address"] += DATA
            raise LookupError("a bug")
        case _:
            session["x"] = DATA


def put_something_odd(data: dict[str, Any]) -> None:
    data["odd"] = [DATA, object()]


PAGES = ["login", "large", "odd", "password", "bug", "edit", "sign_in", "read"]


async def visit(hunt: Hunt, store: Flaky, get: Callable[[str, str | None], Any]) -> None:
    """Ask for each page, with a good cookie and with others, while the store is there and away."""
    cookies = [None, "x=1; broken", f"__Host-sid={quote(Token.mint(bytes).reveal())}"]
    for is_away in (False, True):
        store.is_away = is_away
        for page in PAGES:
            await get(page, None)
    store.is_away = False
    for cookie in cookies:
        await get("read", cookie)


async def test_starlette(hunt: Hunt, store: Flaky, listener: Audit) -> None:
    sessions = Sessions(store, policy=POLICY, on_event=listener)

    async def page(request: Request) -> Response:
        do(session_of(request), request.query_params["do"])
        return JSONResponse({})

    app = shop(sessions, page)
    app.debug = True
    client = Client(app)
    seen = 0

    async def get(what: str, cookie: str | None) -> None:
        nonlocal seen
        headers = [] if cookie is None else [("cookie", cookie)]
        reply = await client.get(f"/page?do={what}", headers)
        seen += sum(hunt_in(hunt, line) for line in reply.cookies)
        hunt.hear(f"the page {what}", reply.body.decode())
        if reply.error is not None:
            hunt.error(reply.error, is_scope_seen=True)

    await visit(hunt, store, get)
    assert seen
    await sessions.flush()


async def test_bearer_tokens(hunt: Hunt, store: Flaky, listener: Audit) -> None:
    sessions = Sessions(store, policy=POLICY, on_event=listener)
    client = Client(shop(sessions, transport=BearerTransport()))
    reply = await client.get("/login")
    token = reply.get("session-token") or ""
    assert hunt_in(hunt, token)
    for header in (f"Bearer {token}", f"Bearer {token}x", f"bearer  {token}", f"Basic {token}"):
        for page in ("/me", "/error", "/error?end"):
            reply = await client.get(page, [("authorization", header)])
            hear(hunt, reply)
    await client.get("/me", [("authorization", f"Bearer {token}"), ("authorization", "Bearer x")])
    await sessions.flush()


def hear(hunt: Hunt, reply: Reply) -> None:
    hunt.hear("a page", f"{reply.body!r}")
    if reply.error is not None:
        hunt.error(reply.error, is_scope_seen=True)


def hunt_in(hunt: Hunt, text: str) -> bool:
    """Look for the tokens in a header from now on; tell whether there are any."""
    for found in TOKEN.findall(text):
        token = Token.parse(found)
        assert token is not None
        hunt.token(token)
    return TOKEN.search(text) is not None


def test_flask_and_its_debugger(hunt: Hunt, store: Flaky, listener: Audit) -> None:
    app = Flask("shop")
    app.debug = True
    app.config["PREFERRED_URL_SCHEME"] = "https"
    sessions = BlockingSessions(store, policy=POLICY, on_event=listener)
    app.session_interface = SessionInterface(app, sessions)

    @app.get("/<what>")
    def page(what: str) -> str:
        do(session_of_flask(), what)
        return "done"

    app.wsgi_app = DebuggedApplication(app.wsgi_app, pin_security=False)  # type: ignore[method-assign]
    client = FlaskClient(app)
    seen = 0

    async def get(what: str, cookie: str | None) -> None:
        nonlocal seen
        headers = {} if cookie is None else {"cookie": cookie}
        reply = client.get(f"/{what}", base_url="https://shop.test", headers=headers)
        seen += sum(hunt_in(hunt, line) for line in reply.headers.getlist("set-cookie"))
        hunt.hear(f"the page {what}", reply.text)

    finish(visit(hunt, store, get))
    assert seen
    sessions.flush()


def test_django_and_its_reports(hunt: Hunt, store: Flaky, listener: Audit) -> None:
    """They show the local variables of each frame, the request's cookies, and settings."""
    sessions = BlockingSessions(store, policy=POLICY, on_event=listener)
    reports = seen = 0

    def page(request: HttpRequest, what: str) -> HttpResponse:
        nonlocal reports
        session = session_of_django(request)
        state, token, base = session.state, session.state.token, session.state.base
        try:
            do(session, what)
        except LookupError as error:
            reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
            hunt.hear("the report", reporter.get_traceback_html() + reporter.get_traceback_text())
            reports += 1
            raise
        assert (state, token, base) is not None
        return HttpResponse("done")

    with site(path("<str:what>", page), DEBUG=True, COATCHECK={"sessions": sessions}):
        browser = Browser(raise_request_exception=False)

        async def get(what: str, cookie: str | None) -> None:
            nonlocal seen
            headers = {} if cookie is None else {"cookie": cookie}
            reply = browser.get(f"/{what}", headers=headers)
            for line in reply.cookies.values():
                seen += hunt_in(hunt, line.value)
            hunt.hear(f"the page {what}", reply.content.decode())

        finish(visit(hunt, store, get))
    assert reports
    assert seen
    sessions.flush()
