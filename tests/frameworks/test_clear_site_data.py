"""What a browser is asked to clear at a logout, by every kind of adapter (R-046)."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any, cast

import pytest
from aiohttp import web
from django.contrib import auth
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path as url
from flask import Flask
from flask import Response as FlaskResponse
from flask_login import LoginManager, UserMixin, login_user, logout_user
from litestar import Litestar, Request, Response, route
from quart import Quart
from quart import Response as QuartResponse

from coatcheck import BlockingSessions, MemoryStore, Session, Sessions
from coatcheck.errors import ConfigurationError
from coatcheck.testing import AsgiDriver, Clock, Driver, WsgiDriver
from coatcheck.web import aiohttp as of_aiohttp
from coatcheck.web import asgi as of_asgi
from coatcheck.web import clear_site_data as of_header
from coatcheck.web import django as of_django
from coatcheck.web import flask as of_flask
from coatcheck.web import litestar as of_litestar
from coatcheck.web import quart as of_quart
from coatcheck.web import wsgi as of_wsgi
from tests.frameworks.aiohttp_server import PROXY, serving
from tests.frameworks.django_site import User, site
from tests.web.app import shop
from tests.web.client import Client

NAME = "Clear-Site-Data"
OWN = '"executionContexts"'
ON: dict[str, Any] = {"clear_site_data": True}
Serve = Callable[..., Any]


def act(path: str, session: Session) -> dict[str, str]:
    """Do what a page does, and return the headers that it sets itself."""
    session.get("x")
    if path == "/login":
        session.sign_in("alice")
    elif path == "/put":
        session["hat"] = 1
    elif path == "/switch":
        session.end()
        session.sign_in("bob")
    elif path == "/empty":
        session.clear()
    elif path == "/pop":
        session.pop("hat")
    elif path in ("/logout", "/own", "/flash", "/error"):
        session.end()
    if path == "/flash":
        session["message"] = "bye"
    if path == "/error":
        raise RuntimeError("a bug in the application")
    return {NAME: OWN} if path == "/own" else {}


@contextmanager
def wsgi(parts: dict[str, Any], **options: Any) -> Generator[Driver]:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        headers = act(environ["PATH_INFO"], of_wsgi.session_of(environ))
        start_response("200 OK", list(headers.items()))
        return [b""]

    yield WsgiDriver(of_wsgi.SessionMiddleware(app, sessions=BlockingSessions(**parts), **options))


@contextmanager
def flask(parts: dict[str, Any], **options: Any) -> Generator[Driver]:
    app = Flask(__name__)
    of_flask.SessionInterface(app, BlockingSessions(**parts), **options)

    @app.get("/<path>")
    def page(path: str) -> FlaskResponse:
        return FlaskResponse("", headers=act(f"/{path}", of_flask.session_of()))

    yield WsgiDriver(app)


@contextmanager
def django(parts: dict[str, Any], **options: Any) -> Generator[Driver]:
    def page(request: HttpRequest, path: str) -> HttpResponse:
        return HttpResponse(headers=act(f"/{path}", of_django.session_of(request)))

    settings = {"sessions": BlockingSessions(**parts), **options}
    with site(url("<path>", page), COATCHECK=settings):
        yield WsgiDriver(WSGIHandler())


@contextmanager
def asgi(parts: dict[str, Any], **options: Any) -> Generator[Driver]:
    async def app(scope: Any, _: Any, send: Any) -> None:
        headers = act(scope["path"], scope["session"])
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": b""})

    around = of_asgi.SessionMiddleware(app, sessions=Sessions(**parts), **options)
    driver = AsgiDriver(cast("Any", around))
    yield driver
    driver.close()


@contextmanager
def litestar(parts: dict[str, Any], **options: Any) -> Generator[Driver]:
    @route("/{path:path}", http_method=["GET"])
    async def page(request: Request[Any, Any, Any]) -> Response[Any]:
        headers = act(request.url.path, of_litestar.session_of(request))
        return Response(b"", headers=headers)

    plugin = of_litestar.SessionPlugin(Sessions(**parts), **options)
    driver = AsgiDriver(Litestar([page], plugins=[plugin]))
    yield driver
    driver.close()


@contextmanager
def quart(parts: dict[str, Any], **options: Any) -> Generator[Driver]:
    app = Quart(__name__)
    of_quart.SessionInterface(app, Sessions(**parts), **options)

    @app.route("/<path>")
    async def page(path: str) -> QuartResponse:
        return QuartResponse("", headers=act(f"/{path}", of_quart.session_of()))

    driver = AsgiDriver(app)
    yield driver
    driver.close()


@contextmanager
def aiohttp(parts: dict[str, Any], **options: Any) -> Generator[Driver]:
    async def page(request: web.Request) -> web.Response:
        return web.Response(headers=act(request.path, of_aiohttp.session_of(request)))

    def make() -> web.Application:
        app = web.Application()
        of_aiohttp.setup(app, Sessions(**parts), trusted_proxies=[PROXY], **options)
        app.router.add_get("/{path}", page)
        return app

    driver = serving(make)
    yield driver
    driver.close()


class Browser:
    """Keeps cookies, and tells what it was asked to clear."""

    def __init__(self, driver: Driver) -> None:
        self._driver, self.jar = driver, dict[str, str]()

    def get(self, path: str) -> list[str]:
        """Return the lines; they never come without the deletion of the login's cookie."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        reply = self._driver.send("GET", path, {"Cookie": cookies} if cookies else {})
        for line in reply.all("set-cookie"):
            name, _, rest = line.partition("=")
            self.jar[name] = rest.partition(";")[0]
        self.jar = {name: value for name, value in self.jar.items() if value}
        lines = reply.all(NAME)
        if lines and lines != [OWN]:
            deleted = [line for line in reply.all("set-cookie") if line.startswith("__Host-sid=;")]
            assert len(deleted) == 1
            assert reply.all("cache-control") == ["no-store"]
        return lines


@pytest.fixture
def parts() -> dict[str, Any]:
    return {"store": MemoryStore(), "clock": Clock()}


EVERY = [aiohttp, asgi, django, flask, litestar, quart, wsgi]


@pytest.mark.parametrize("serve", EVERY)
def test_a_logout_and_nothing_else_has_it(serve: Serve, parts: dict[str, Any]) -> None:
    """Fails when it is on another answer, or twice where the application has its own."""
    with serve(parts, **ON) as driver:
        browser = Browser(driver)
        for path in ("/put", "/logout", "/login", "/me", "/put", "/switch"):
            assert browser.get(path) == [], path
        assert browser.get("/logout") == ['"cache", "storage"']
        assert browser.get("/logout") == [], "nobody is signed in any more"
        browser.get("/login")
        assert browser.get("/own") == [OWN]
        assert browser.jar == {}


@pytest.mark.parametrize("serve", EVERY)
def test_without_the_option_there_is_none(serve: Serve, parts: dict[str, Any]) -> None:
    with serve(parts) as driver:
        browser = Browser(driver)
        browser.get("/login")
        assert browser.get("/logout") == []


@pytest.mark.parametrize(
    ("serve", "path"), [(wsgi, "/empty"), (wsgi, "/pop"), (wsgi, "/flash"), (flask, "/error")]
)
def test_whatever_ends_a_login_has_it(serve: Serve, parts: dict[str, Any], path: str) -> None:
    """A session that is emptied, one that goes on as a visitor's, a request that fails later."""
    with serve(parts, **ON) as driver:
        browser = Browser(driver)
        browser.get("/login")
        browser.get("/put")
        assert browser.get(path) == ['"cache", "storage"']


@pytest.mark.parametrize("serve", [wsgi, django])
def test_an_expiry_alone_has_it_not_but_a_logout_after_it_has(
    serve: Serve, parts: dict[str, Any]
) -> None:
    """Fails when the user who came back too late to log out leaves everything behind."""
    with serve(parts, **ON) as driver:
        for path, cleared in (("/me", []), ("/logout", ['"cache", "storage"'])):
            browser = Browser(driver)
            browser.get("/login")
            parts["clock"].move(minutes=31)
            assert browser.get(path) == cleared, path


def test_no_newer_login_loses_what_it_keeps(parts: dict[str, Any]) -> None:
    """A logout by a token of before (C1) deletes no cookie, and clears nothing."""
    with wsgi(parts, **ON) as driver:
        old, new = Browser(driver), Browser(driver)
        old.get("/login")
        new.jar = dict(old.jar)
        new.get("/login")
        assert old.get("/logout") == []


async def test_over_plain_http_there_is_none(parts: dict[str, Any]) -> None:
    """Where anybody on the way could have written it."""
    app = shop(Sessions(**parts), development=True, **ON)
    browser = Client(app, scheme="http", peer="127.0.0.1")
    await browser.post("/login")
    reply = await browser.post("/logout")
    assert [line.partition(";")[0] for line in reply.cookies] == ["sid="]
    assert reply.all(NAME.lower()) == []


def test_a_logout_of_flask_login_and_of_django_has_it(parts: dict[str, Any]) -> None:
    app = Flask(__name__)
    of_flask.SessionInterface(app, BlockingSessions(**parts), **ON)
    LoginManager(app).user_loader(Person)

    @app.get("/<path>")
    def page(path: str) -> str:
        return str(login_user(Person("1")) if path == "login" else logout_user())

    browser = Browser(WsgiDriver(app))
    assert [browser.get(path) for path in ("/login", "/logout")] == [[], ['"cache", "storage"']]

    def view(request: HttpRequest, path: str) -> HttpResponse:
        if path == "login":
            auth.login(request, user)
        else:
            auth.logout(request)
        return HttpResponse()

    user = User.objects.create_user("alice")
    with site(url("<path>", view), COATCHECK={"sessions": BlockingSessions(**parts), **ON}):
        browser = Browser(WsgiDriver(WSGIHandler()))
        assert [browser.get(path) for path in ("/login", "/logout")] == [[], ['"cache", "storage"']]
    user.delete()


class Person(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id


@pytest.mark.parametrize("path", ["/empty", "/pop"])
def test_a_visitor_who_empties_the_cart_is_no_logout(parts: dict[str, Any], path: str) -> None:
    """Fails when it is one beside a login that is over, whose cookie is deleted."""
    with wsgi(parts, **ON) as driver:
        browser = Browser(driver)
        browser.get("/put")
        browser.jar["__Host-sid"] = "a-login-that-is-over"
        assert browser.get(path) == []
        assert browser.jar == {}


@pytest.mark.parametrize(
    ("types", "lines"),
    [
        (["cookies"], []),
        (["cookies", "storage"], ['"storage"']),
        (["*"], ['"cache", "storage", "executionContexts"']),
    ],
)
def test_a_cookie_that_the_same_answer_sets_stays(
    parts: dict[str, Any], types: list[str], lines: list[str]
) -> None:
    """Fails when the visitor's session with the message of the logout is cleared by it."""
    with wsgi(parts, clear_site_data=types) as driver:
        browser = Browser(driver)
        browser.get("/login")
        assert browser.get("/flash") == lines
        assert list(browser.jar) == ["__Host-anon"]


def test_an_expiry_that_django_was_told_is_no_logout(parts: dict[str, Any]) -> None:
    """Fails when the session that `set_expiry` ended counts as one that its user ended."""
    with site(url("<path>", expiring), COATCHECK={"sessions": BlockingSessions(**parts), **ON}):
        browser = Browser(WsgiDriver(WSGIHandler()))
        browser.get("/login")
        parts["clock"].move(minutes=6)
        assert browser.get("/me") == []
        assert browser.jar == {}


def expiring(request: HttpRequest, path: str) -> HttpResponse:
    if path == "login":
        of_django.session_of(request).sign_in("alice")
        request.session.set_expiry(300)
    else:
        len(request.session.keys())
    return HttpResponse()


@pytest.mark.parametrize(
    ("types", "line"),
    [
        (True, b'"cache", "storage"'),
        (["storage"], b'"storage"'),
        (("cookies", "storage", "cookies"), b'"cookies", "storage"'),
        (["*"], b'"*"'),
    ],
)
def test_types_are_quoted(types: Any, line: bytes) -> None:
    assert of_header.line(types) == [(b"clear-site-data", line)]
    assert of_header.line(False) == []


@pytest.mark.parametrize("types", ["storage", ["Storage"], ['"storage"'], [], None, 1, [None]])
def test_what_is_no_type_is_refused(types: Any) -> None:
    with pytest.raises(ConfigurationError, match="clear_site_data"):
        of_header.line(types)


def test_cookies_go_by_name_only(parts: dict[str, Any]) -> None:
    with wsgi(parts, clear_site_data=["cookies", "storage"]) as driver:
        browser = Browser(driver)
        browser.get("/login")
        assert browser.get("/logout") == ['"cookies", "storage"']
