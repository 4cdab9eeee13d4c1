"""What a route may ask for: the request's session, its subject, everyone's sessions, the time."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

from coatcheck import Session, Sessions


def _session(request: Request) -> Session:
    """Return the request's session, typed: Starlette calls it a plain dict."""
    session = request.session
    if not isinstance(session, Session):
        raise TypeError("the shop needs coatcheck's SessionMiddleware")
    return session


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


CurrentSession = Annotated[Session, Depends(_session)]
Everyone = Annotated[Sessions, Depends(_sessions)]
Subject = Annotated[str, Depends(_subject)]
ServerName = Annotated[str, Depends(_server)]
Now = Annotated[datetime, Depends(_now)]
