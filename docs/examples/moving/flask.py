"""An application that had Flask-Session's sessions, or Flask's own, before."""

# part: app
from typing import Any

from flask import Flask, session

from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.flask import SessionInterface, session_of

app = Flask(__name__)
sessions = BlockingSessions(store_from_url("sqlite:///shop.db", blocking=True))
SessionInterface(app, sessions, development=True)  # was: Session(app)


@app.post("/login")
def login() -> str:
    session_of().sign_in("alice")  # was: session["user"] = "alice"
    return "welcome"


@app.get("/me")
def me() -> str:
    return session_of().require_subject()  # was: session["user"]


@app.post("/cart")
def add() -> Any:
    session.setdefault("cart", []).append("hat")  # stays; was followed by: session.modified = True
    return session["cart"]


@app.post("/logout")
def logout() -> str:
    session_of().end()  # was: session.clear()
    return "bye"


# end part
