"""Where a request goes, as WSGI tells it: what is passive, and where the application is mounted."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path as url
from flask import Flask

from coatcheck import BlockingSessions, MemoryStore
from coatcheck.testing import Clock, WsgiDriver
from coatcheck.web import CookieTransport
from coatcheck.web import django as of_django
from coatcheck.web import flask as of_flask
from coatcheck.web import wsgi as of_wsgi
from tests.frameworks.django_site import site

OPTIONS: dict[str, Any] = {
    "passive": ["/poll"],
    "transport": CookieTransport(name="sid", anonymous_name="anon"),
}
App = Callable[..., Iterable[bytes]]


@contextmanager
def bare(sessions: BlockingSessions) -> Generator[App]:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session = of_wsgi.session_of(environ)
        if environ["PATH_INFO"] == "/login":
            session.sign_in("alice")
        start_response("200 OK", [])
        return [str(session.subject).encode()]

    yield of_wsgi.SessionMiddleware(app, sessions=sessions, **OPTIONS)


@contextmanager
def flask(sessions: BlockingSessions) -> Generator[App]:
    app = Flask(__name__)
    of_flask.SessionInterface(app, sessions, **OPTIONS)

    @app.get("/<path>")
    def page(path: str) -> str:
        if path == "login":
            of_flask.session_of().sign_in("alice")
        return str(of_flask.session_of().subject)

    yield app


@contextmanager
def django(sessions: BlockingSessions) -> Generator[App]:
    def page(request: HttpRequest, path: str) -> HttpResponse:
        session = of_django.session_of(request)
        if path == "login":
            session.sign_in("alice")
        return HttpResponse(str(session.subject))

    with site(url("<path>", page), COATCHECK={"sessions": sessions, **OPTIONS}):
        yield WSGIHandler()


@pytest.mark.parametrize("serve", [bare, flask, django])
def test_polls_are_nobodys_activity_and_cookies_are_for_where_it_is_mounted(
    serve: Callable[[BlockingSessions], Any], clock: Clock
) -> None:
    """Fails when the path or the mount gets lost on the way from the server's environ."""
    with serve(BlockingSessions(MemoryStore(), clock=clock)) as app:

        def mounted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            body: Iterable[bytes] = app({**environ, "SCRIPT_NAME": "/sh\xc3\xb6p"}, start_response)
            return body

        driver = WsgiDriver(mounted)
        cookie = driver.send("GET", "/login").all("set-cookie")[0]
        assert "; Path=/sh%C3%B6p;" in cookie
        jar = {"Cookie": cookie.partition(";")[0]}
        for minutes, path, subject in (
            (20, "/poll", b"alice"),
            (9, "/read", b"alice"),
            (20, "/poll", b"alice"),
            (11, "/read", b"None"),
        ):
            clock.move(minutes=minutes)
            assert driver.send("GET", path, jar).body == subject
