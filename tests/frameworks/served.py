"""A Flask application for real servers, which name the store in `STORE`."""

import asyncio
import os
import threading
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any

from flask import Flask, Response, session
from flask_login import LoginManager, UserMixin, login_required, login_user, logout_user

from coatcheck import BlockingSessions, Policy, store_from_url
from coatcheck.web.flask import SessionInterface, session_of


class _User(UserMixin):
    id = "alice"


def make_app(url: str) -> Flask:
    app = Flask("served")
    app.secret_key = "for flask-login"
    policy = Policy(watch_every=timedelta(milliseconds=200))
    sessions = BlockingSessions(store_from_url(url, blocking=True), policy=policy)
    app.session_interface = SessionInterface(app, sessions, trusted_proxies=["127.0.0.1"])
    LoginManager(app).user_loader(_load)
    waiting = threading.Event()

    @app.get("/login")
    def login() -> str:
        session["items"] = {}
        login_user(_User())
        return ""

    @app.get("/wait")
    async def wait() -> str:
        waiting.set()
        while waiting.is_set():  # noqa: ASYNC110 - who tells it has no event loop
            await asyncio.sleep(0.01)
        return ""

    @app.get("/is-waiting")
    def is_waiting() -> str:
        return str(waiting.is_set())

    @app.get("/go-on")
    def go_on() -> str:
        waiting.clear()
        return ""

    @app.get("/process")
    def process() -> str:
        return str(os.getpid())

    @app.get("/add/<item>")
    @login_required
    def add(item: str) -> str:
        session["items"][item] = 1
        session_of().edit(_one_more)
        return str(os.getpid())

    @app.get("/items")
    @login_required
    def items() -> list[Any]:
        return [len(session["items"]), session["count"]]

    @app.get("/ticks")
    @login_required
    def ticks() -> Response:
        return Response(_ticks())

    @app.get("/logout")
    def logout() -> str:
        logout_user()
        return ""

    return app


def _ticks() -> Generator[str]:
    while True:
        yield "tick\n"
        time.sleep(0.05)


def _load(_: str) -> _User:
    return _User()


def _one_more(data: dict[str, Any]) -> None:
    data["count"] = data.get("count", 0) + 1


if "STORE" in os.environ:
    app = make_app(os.environ["STORE"])
