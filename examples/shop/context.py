"""What a route may ask for: the request's session, its subject, everyone's sessions, the time."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from coatcheck import Session, Sessions
from coatcheck.errors import Unauthenticated
from coatcheck.web.asgi import session_of


def _session(request: Request) -> Session:
    """Return the request's session, typed: Starlette calls it a plain dict."""
    return session_of(request)


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _subject(session: Annotated[Session, Depends(_session)]) -> str:
    """Return who is signed in; otherwise the request ends with 401 here."""
    return session.require_subject()


def _server(request: Request) -> str:
    return str(request.app.state.name)


def _now(request: Request) -> datetime:
    """Return the shop's time, which a demonstration moves."""
    return datetime.fromtimestamp(request.app.state.clock() / 1000, UTC)


def _is_over(session: Annotated[Session, Depends(_session)]) -> bool:
    """Say whether the browser presents a login that has expired or was ended."""
    return session.is_over


CurrentSession = Annotated[Session, Depends(_session)]
LoginIsOver = Annotated[bool, Depends(_is_over)]
Everyone = Annotated[Sessions, Depends(_sessions)]
Subject = Annotated[str, Depends(_subject)]
ServerName = Annotated[str, Depends(_server)]
Now = Annotated[datetime, Depends(_now)]


def not_over(is_over: LoginIsOver) -> None:
    """End the request with 401 if its login is over: it must not go on as a visitor's."""
    if is_over:
        raise Unauthenticated("the login that this request came with is over")
