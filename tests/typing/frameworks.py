# pyright: reportUnnecessaryTypeIgnoreComment=true
"""What type checkers know of each adapter; nothing here runs."""

from datetime import timedelta
from typing import Any, assert_type

from aiohttp import web
from django.http import HttpRequest
from fastapi import FastAPI
from flask import Flask
from flask.sessions import SessionMixin
from litestar import Request, WebSocket, get
from starlette.requests import HTTPConnection

from coatcheck import BlockingSessions, Pending, Session
from coatcheck.web import (
    GateOptions,
    aiohttp,
    aiohttp_session,
    asgi,
    django,
    fastapi,
    flask,
    litestar,
    quart,
    wsgi,
)
from coatcheck.web.flask_session import FlaskSession

app = FastAPI()


@app.get("/")
async def of_fastapi(session: fastapi.CurrentSession, user: fastapi.CurrentUser) -> None:
    assert_type(session, Session)
    assert_type(user, str)
    assert_type(session.subject, str | None)


@asgi.requires(level=2, max_age="5m")
async def guarded(connection: HTTPConnection, more: int = 1) -> int:
    session = asgi.session_of(connection)
    assert_type(session.require(level=2, max_age=timedelta(minutes=5)), str)
    assert_type(session.pending, Pending | None)
    assert_type(session.actor, str | None)
    return more


async def of_a_guarded_view(connection: HTTPConnection) -> None:
    assert_type(await guarded(connection, more=2), int)  # it is what it was


async def of_starlette(connection: HTTPConnection) -> None:
    assert_type(asgi.session_of(connection), Session)


@get("/", guards=[litestar.requires_subject])
async def of_litestar(session: litestar.CurrentSession, request: Request[Any, Any, Any]) -> None:
    assert_type(session, Session)
    assert_type(litestar.session_of(request), Session)


async def of_a_socket(socket: WebSocket[Any, Any, Any]) -> None:
    assert_type(litestar.session_of(socket), Session)


async def of_quart() -> None:
    session = quart.session_of()
    assert_type(session, quart.QuartSession)
    assert_type(session.permanent, bool)
    assert_type(session.require_subject(), str)


async def of_aiohttp(request: web.Request) -> None:
    assert_type(aiohttp.session_of(request), Session)
    assert_type(await aiohttp.get_session(request), Session)


async def of_aiohttp_session(session: aiohttp_session.Session) -> None:
    assert_type(session.identity, str | None)
    assert_type(session.max_age, int | None)


def of_flask(of_a_request: SessionMixin) -> None:
    session = flask.session_of()
    assert_type(session, FlaskSession)
    assert_type(flask.session_of(of_a_request), FlaskSession)
    assert_type(session.permanent, bool)
    assert_type(session.require_subject(), str)


async def of_django(request: HttpRequest) -> None:
    assert_type(django.session_of(request), Session)
    assert_type(await django.asession_of(request), Session)


def of_wsgi(environ: dict[str, Any]) -> None:
    assert_type(wsgi.session_of(environ), Session)


def options(flask_app: Flask, sessions: BlockingSessions, inner: wsgi.App) -> None:
    """Each has a type, wherever it is given, and no other is known."""
    options = GateOptions(development=True, trusted_proxies=["10.0.0.1"], passive={"/poll"})
    flask.SessionInterface(flask_app, sessions, **options)
    flask.SessionInterface(flask_app, sessions, passive=lambda path, headers: path == "/poll")
    flask.SessionInterface(flask_app, sessions, passive=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    wsgi.SessionMiddleware(inner, sessions=sessions, developement=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
