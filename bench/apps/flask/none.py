"""No sessions: every request gets the same dict, so that the views do the same work."""

from typing import Any

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin

from bench import data
from bench.apps.flask.pages import application


class OneDict(dict[str, Any], SessionMixin):
    """What Flask takes for a session."""


class OneForAll(SessionInterface):
    """Hands it out, and keeps nothing."""

    def __init__(self) -> None:
        self._data = OneDict(data.session(0))

    def open_session(self, app: Flask, request: Request) -> OneDict:
        return self._data

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        pass


app = application()
app.session_interface = OneForAll()
