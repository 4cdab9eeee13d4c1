"""A test of a Flask application."""

from typing import Any

from flask import Flask

from coatcheck import BlockingSessions, MemoryStore
from coatcheck.testing import log_in
from coatcheck.web.flask import SessionInterface, session_of


def make_app(sessions: BlockingSessions) -> Flask:
    app = Flask(__name__)
    app.session_interface = SessionInterface(app, sessions)

    @app.get("/cart")
    def cart() -> Any:
        session_of().require_subject()
        return session_of().get("cart", {})

    return app


# part: log_in
def test_the_cart_is_shown() -> None:
    sessions = BlockingSessions(MemoryStore())
    app = make_app(sessions)
    app.config["PREFERRED_URL_SCHEME"] = "https"  # of Flask's test client
    client = app.test_client()
    log_in(client, sessions, "alice", {"cart": {"hat": 1}})
    assert client.get("/cart").json == {"hat": 1}


# end part
