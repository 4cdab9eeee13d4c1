"""coatcheck with the store that `BENCH_STORE` names, with its defaults and for production."""

from typing import Any

from bench.apps.flask.pages import application
from bench.apps.store import blocking_store
from coatcheck import BlockingSessions
from coatcheck.web.flask import SessionInterface, session_of


def one_more(data: dict[str, Any]) -> None:
    data["n"] = data.get("n", 0) + 1


def edit() -> None:
    session_of().edit(one_more)


def sign_in(user: str) -> None:
    session_of().sign_in(user)


app = application(increase_exactly=edit, login=sign_in)
sessions = BlockingSessions(blocking_store())
app.session_interface = SessionInterface(app, sessions, trusted_proxies=["127.0.0.1"])
