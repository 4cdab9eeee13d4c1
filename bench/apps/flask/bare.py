"""No sessions, but an exchange with the store for each, and another for what is written."""

from flask import Flask, Request, Response
from flask.sessions import SessionMixin

from bench.apps.exchange import EXCHANGE
from bench.apps.flask.none import OneDict, OneForAll
from bench.apps.flask.pages import application


class Bare(OneForAll):
    """Asks the store, and looks at no answer."""

    def open_session(self, app: Flask, request: Request) -> OneDict:
        EXCHANGE.read()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if response.data == b"written":
            EXCHANGE.write()


app = application()
app.session_interface = Bare()
