"""Forged requests in each framework: what they are answered, and forms with a token."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from io import BytesIO
from typing import Any, cast

import pytest
from aiohttp import CookieJar, WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.test import AsyncClient, override_settings
from django.urls import path
from flask import Flask, Response, request
from flask_login import LoginManager, UserMixin, login_user
from litestar import Litestar, Request, get, post
from quart import Quart
from quart import request as quart_request

from coatcheck import BlockingSessions, Event, Happened, MemoryStore, Sessions
from coatcheck.errors import CSRFRefused
from coatcheck.testing import Clock
from coatcheck.web import CSRF
from coatcheck.web import aiohttp as of_aiohttp
from coatcheck.web import flask as of_flask
from coatcheck.web import litestar as of_litestar
from coatcheck.web import quart as of_quart
from coatcheck.web import wsgi as of_wsgi
from coatcheck.web.django import session_of as django_session_of
from tests.frameworks.django_site import OUR_AUTH, OUR_SESSIONS, Browser, User, site
from tests.frameworks.flask_site import Store
from tests.frameworks.shop import Shop
from tests.web.client import App

DJANGOS_OWN = "django.middleware.csrf.CsrfViewMiddleware"
EVIL = {"Origin": "https://evil.example"}
FORM = "application/x-www-form-urlencoded"
STRICT = CSRF(strict=True)
Environ = dict[str, Any]


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def sessions(events: list[Event]) -> BlockingSessions:
    return BlockingSessions(MemoryStore(), clock=Clock(), on_event=events.append)


# WSGI


class Input(BytesIO):
    """A body on a connection that stays open: who reads on waits for the next request."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.left = len(body)

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= self.left, "it would wait for ever"
        self.left -= size
        return super().read(size)


class Wsgi:
    """Sends requests with bodies to an application that gives them back."""

    def __init__(self, sessions: BlockingSessions) -> None:
        self.cookie = ""
        self._served = of_wsgi.SessionMiddleware(self._app, sessions=sessions, csrf=STRICT)

    def _app(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            body = of_wsgi.session_of(environ).csrf_token().encode()
        else:
            length = int(environ.get("CONTENT_LENGTH") or -1)
            body = environ["wsgi.input"].read(length)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    def send(self, method: str, body: bytes = b"", **more: Any) -> tuple[int, bytes]:
        environ: Environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example.com",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "shop.example.com",
            "HTTP_COOKIE": self.cookie,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": FORM if body else "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": Input(body),
            "wsgi.errors": BytesIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **more,
        }
        said: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            said.append(int(status[:3]))
            lines = [value for name, value in headers if name.lower() == "set-cookie"]
            self.cookie = lines[0].partition(";")[0] if lines else self.cookie
            return bytes

        body_sent = b"".join(self._served(environ, start))
        return said[0], body_sent


@pytest.mark.parametrize("size", [0, 10, 65_000, 65_536, 70_000, 300_000])
def test_the_body_reaches_a_wsgi_application_whole(sessions: BlockingSessions, size: int) -> None:
    """And not a byte of what comes after it."""
    client = Wsgi(sessions)
    token = client.send("GET")[1]
    body = b"csrf_token=" + token + b"&a=" + b"b" * size
    assert client.send("POST", body) == (200, body)
    assert client.send("POST", b"a=" + b"b" * size)[0] == 403
    assert client.send("POST", body, CONTENT_TYPE="text/plain")[0] == 403
    assert client.send("POST", body, CONTENT_LENGTH="")[0] == 403, "nobody knows where it ends"
    unended = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": BytesIO(body)}
    assert client.send("POST", body, **unended) == (200, body)


class _Gone(Input):
    """As servers say that a client hung up, or that nothing came from it in time."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError("unexpected end of file while reading request")


def test_a_form_that_breaks_off_is_refused(sessions: BlockingSessions) -> None:
    """Fails when who hangs up makes the server log an error of the application."""
    client = Wsgi(sessions)
    token = client.send("GET")[1]
    body = b"csrf_token=" + token
    assert client.send("POST", body, **{"wsgi.input": _Gone(body)})[0] == 403


def test_a_handshake_that_wsgi_passes_on_is_none_of_a_get(sessions: BlockingSessions) -> None:
    client = Wsgi(sessions)
    for upgrade in ("websocket", "WebSocket "):
        evil: Environ = {"HTTP_UPGRADE": upgrade, "HTTP_ORIGIN": "https://evil.example"}
        assert client.send("GET", **evil)[0] == 403
        own: Environ = {"HTTP_UPGRADE": upgrade, "HTTP_ORIGIN": "https://shop.example.com"}
        assert client.send("GET", **own)[0] == 200
    assert client.send("GET", HTTP_UPGRADE="h2c", HTTP_ORIGIN="https://evil.example")[0] == 200


# Flask


class _User(UserMixin):
    id = "alice"


def flask_app(
    sessions: BlockingSessions, before: Callable[[], None] | None = None, **settings: Any
) -> Flask:
    app = Flask("shop")
    if before is not None:
        app.before_request(before)
    app.secret_key = "for flask-login"
    of_flask.SessionInterface(app, sessions, **settings)
    LoginManager(app).user_loader(lambda _: _User())

    @app.get("/form")
    def form() -> str:
        return of_flask.session_of().csrf_token()

    @app.post("/form")
    def received() -> list[str | None]:
        return [request.form.get("csrf_token"), request.form.get("a")]

    @app.post("/upload")
    def upload() -> str:
        return str(len(request.stream.read()))

    @app.post("/login")
    def login() -> str:
        login_user(_User())
        return "welcome"

    return app


def test_a_form_reaches_a_flask_view_whole(sessions: BlockingSessions) -> None:
    client = flask_app(sessions, csrf=STRICT).test_client()
    token = client.get("/form", base_url="https://shop.test").text
    kinds: list[dict[str, Any]] = [{}, {"content_type": "multipart/form-data"}]
    for kind in kinds:
        data = {"csrf_token": token, "a": "b"}
        reply = client.post("/form", data=data, base_url="https://shop.test", **kind)
        assert reply.json == [token, "b"]
        body = {"csrf_token": token, "a": "b" * 100_000}
        reply = client.post("/upload", data=body, base_url="https://shop.test", **kind)
        assert int(reply.text) > 100_000
        reply = client.post("/form", data={"a": "b"}, base_url="https://shop.test", **kind)
        assert reply.status_code == 403
    reply = client.post("/login", headers={"X-CSRF-Token": token}, base_url="https://shop.test")
    assert reply.status_code == 200
    reply = client.post("/login", headers={"X-CSRF-Token": token}, base_url="https://shop.test")
    assert reply.status_code == 403, "the token died with the sign-in"


def test_a_flask_application_may_answer_by_itself(sessions: BlockingSessions) -> None:
    """And what it then says is not looked at by a view, nor by what the application does first."""
    ran: list[str] = []
    app = flask_app(sessions, before=lambda: ran.append("before"))

    @app.errorhandler(CSRFRefused)
    def sorry(_: CSRFRefused) -> Response:
        return Response("please try again from our own page", 403)

    client = app.test_client()
    reply = client.post("/login", headers=EVIL, base_url="https://shop.test")
    assert (reply.status_code, reply.text) == (403, "please try again from our own page")
    assert (ran, sessions.count()) == ([], 0)
    reply = client.post("/nowhere", headers=EVIL, base_url="https://shop.test")
    assert reply.status_code == 403


def test_an_outage_is_answered_in_flask_too() -> None:
    store = Store()
    client = flask_app(BlockingSessions(store), csrf=STRICT).test_client()
    token = client.get("/form", base_url="https://shop.test").text
    store.is_away = True
    reply = client.post("/form", data={"csrf_token": token}, base_url="https://shop.test")
    assert reply.status_code == 503


# Frameworks for asyncio


async def test_a_form_reaches_a_quart_view_whole() -> None:
    shop = Shop()
    app = Quart(__name__)
    of_quart.SessionInterface(app, shop.sessions, csrf=STRICT)

    @app.get("/form")
    async def form() -> str:
        return of_quart.session_of().csrf_token()

    @app.post("/form")
    async def received() -> str:
        form: Any = await cast("Any", quart_request).form
        return str(form["a"])

    browser = shop.browser(cast("App", app))
    token = (await browser.get("/form")).body
    kind = [("content-type", FORM)]
    reply = await browser.post("/form", kind, b"a=b&csrf_token=" + token)
    assert (reply.status, reply.body) == (200, b"b")
    assert (await browser.post("/form", kind, b"a=b")).status == 403


async def test_a_form_reaches_a_litestar_handler_whole() -> None:
    shop = Shop()

    @get("/form")
    async def form(session: of_litestar.CurrentSession) -> str:
        return session.csrf_token()

    @post("/form")
    async def received(request: Request[Any, Any, Any]) -> str:
        return str((await request.form())["a"])

    plugin = of_litestar.SessionPlugin(shop.sessions, csrf=STRICT)
    browser = shop.browser(cast("App", Litestar([form, received], plugins=[plugin])))
    token = (await browser.get("/form")).body
    kind = [("content-type", FORM)]
    reply = await browser.post("/form", kind, b"a=b&csrf_token=" + token)
    assert (reply.status, reply.body) == (201, b"b")
    assert (await browser.post("/form", kind, b"a=b")).status == 403


async def test_forms_and_sockets_in_aiohttp() -> None:
    """A long form or one with files is left to the handler, as a stream: there is the header."""

    async def form(request: web.Request) -> web.Response:
        return web.Response(text=of_aiohttp.session_of(request).csrf_token())

    async def received(request: web.Request) -> web.Response:
        return web.Response(text=str((await request.post()).get("a")))

    async def upload(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.content.read())))

    async def socket(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.close()
        return response

    app = web.Application()
    of_aiohttp.setup(app, Sessions(MemoryStore()), development=True, csrf=STRICT)
    app.add_routes(
        [
            web.get("/", form),
            web.post("/", received),
            web.post("/upload", upload),
            web.get("/ws", socket),
        ]
    )
    client = TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True))
    async with client:
        token = await (await client.get("/")).text()
        reply = await client.post("/", data={"csrf_token": token, "a": "b"})
        assert (reply.status, await reply.text()) == (200, "b")
        assert (await client.post("/", data={"a": "b"})).status == 403
        header = {"X-CSRF-Token": token}
        long = {"csrf_token": token, "a": "b" * 70_000}
        assert (await client.post("/upload", data=long)).status == 403
        reply = await client.post("/upload", data=long, headers=header)
        assert int(await reply.text()) > 70_000
        own = f"http://{client.host}:{client.port}"
        await (await client.ws_connect("/ws", headers={"Origin": own})).close()
        for headers in (EVIL, {}):
            with pytest.raises(WSServerHandshakeError, match="403"):
                await client.ws_connect("/ws", headers=headers)


# Django


def signs_in(request: HttpRequest) -> HttpResponse:
    django_session_of(request).sign_in("alice")
    return HttpResponse("welcome")


def token(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request))


def log_in(request: HttpRequest) -> HttpResponse:
    user = auth.authenticate(request, username="alice", password="wonder")
    auth.login(request, user)
    return HttpResponse("welcome")


def ours(request: HttpRequest) -> HttpResponse:
    return HttpResponse(django_session_of(request).csrf_token())


@contextmanager
def django(
    sessions: BlockingSessions, *middleware: str, **options: Any
) -> Generator[Callable[[], Browser]]:
    views = [path(view.__name__, view) for view in (signs_in, token, log_in, ours)]
    options["sessions"] = sessions
    with site(*views, COATCHECK=options, MIDDLEWARE=[OUR_SESSIONS, *middleware]):
        yield lambda: Browser(enforce_csrf_checks=True)


def test_djangos_own_check_is_not_doubled(sessions: BlockingSessions, events: list[Event]) -> None:
    """Fails when ours refuses what `csrf_exempt` lets in, or reports what Django refused."""
    with django(sessions, DJANGOS_OWN) as browser:
        reply = browser().post("/signs_in", headers=EVIL)
        assert (reply.status_code, b"CSRF verification failed" in reply.content) == (403, True)
        client = Browser()  # a client that Django does not check, as for views that are exempt
        assert client.post("/signs_in", headers=EVIL).status_code == 200
        assert [event.kind for event in events] == [Happened.CREATED]


def test_without_djangos_own_ours_is_on(sessions: BlockingSessions, events: list[Event]) -> None:
    with django(sessions) as browser:
        reply = browser().post("/signs_in", headers=EVIL)
        assert (reply.status_code, reply.content) == (403, b'{"error": "this request was refused"}')
        assert reply.headers["Vary"] == "Sec-Fetch-Site, Origin"
        assert (
            browser()
            .post("/signs_in", headers={"Host": "testserver", "Origin": "https://testserver"})
            .status_code
            == 200
        )
    assert [event.kind for event in events] == [Happened.CSRF_REFUSED, Happened.CREATED]


def test_both_are_on_where_the_site_says_so(sessions: BlockingSessions) -> None:
    with django(sessions, DJANGOS_OWN, csrf=CSRF()):
        reply = Browser().post("/signs_in", headers={"Sec-Fetch-Site": "cross-site"})
        assert reply.content == b'{"error": "this request was refused"}'


def test_our_token_comes_in_a_header_in_django(sessions: BlockingSessions) -> None:
    with django(sessions, csrf=STRICT) as browser:
        client = browser()
        token = client.get("/ours").content.decode()
        assert client.post("/signs_in").status_code == 403
        assert client.post("/signs_in", headers={"X-CSRF-Token": token}).status_code == 200
        assert client.post("/signs_in", headers={"X-CSRF-Token": token}).status_code == 403


async def test_a_forged_request_is_refused_in_django_under_asgi() -> None:
    sessions = Sessions(MemoryStore())
    views = [path("signs_in", signs_in)]
    with site(*views, COATCHECK={"sessions": sessions}, MIDDLEWARE=[OUR_SESSIONS]):
        reply = await AsyncClient().post("/signs_in", headers=EVIL, secure=True)
    assert reply.status_code == 403


@pytest.mark.parametrize("in_sessions", [False, True])
@pytest.mark.parametrize("view", ["/log_in", "/signs_in"])
def test_djangos_token_works_and_dies_with_the_sign_in(
    sessions: BlockingSessions, in_sessions: bool, view: str
) -> None:
    """R-066. By Django's own login always; by another one where Django keeps it in the session."""
    User.objects.create_user("alice", password="wonder")
    with (
        django(sessions, DJANGOS_OWN, OUR_AUTH) as browser,
        override_settings(CSRF_USE_SESSIONS=in_sessions),
    ):
        client = browser()
        before = client.get("/token").content.decode()
        header = {"X-CSRFToken": before, "Referer": "https://testserver/"}
        assert client.post(view, headers={"Referer": header["Referer"]}).status_code == 403
        assert client.post(view, headers=header).status_code == 200
        dies = in_sessions or view == "/log_in"
        assert client.post(view, headers=header).status_code == (403 if dies else 200)
        header["X-CSRFToken"] = client.get("/token").content.decode()
        assert client.post(view, headers=header).status_code == 200
    User.objects.all().delete()
