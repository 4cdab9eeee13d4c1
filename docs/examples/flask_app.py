"""Log in, log out, a cart: run `flask --app flask_app run` on your own machine."""

# part: app
from secrets import token_hex
from typing import Any

from flask import Flask, abort, request, session
from werkzeug.security import check_password_hash, generate_password_hash

from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.flask import SessionInterface, requires, session_of

sessions = BlockingSessions(store_from_url("sqlite:///flask.db", blocking=True))

app = Flask(__name__)
SessionInterface(app, sessions, development=True)

PASSWORDS = {"alice": generate_password_hash("wonderland")}  # yours are in a database
NOBODYS = generate_password_hash(token_hex())  # so that a wrong name takes as long


@app.post("/login")
def login() -> str:
    name, password = request.form["name"], request.form["password"]
    if not check_password_hash(PASSWORDS.get(name, NOBODYS), password):
        abort(401, "wrong user name or password")
    session_of().sign_in(name)
    return f"hello {name}"


@app.get("/me")
def me() -> str:
    return session_of().require_subject()  # 401 for a visitor


@app.post("/logout")
def logout() -> str:
    session_of().end()
    return "bye"


# end part


# part: cart
@app.post("/cart/<item>")
def add(item: str) -> dict[str, Any]:
    session.setdefault("cart", {})[item] = 1  # nested changes are seen
    session_of().edit(one_more)  # exact, however many requests come at once
    return {"cart": session["cart"], "changes": session["changes"]}


def one_more(data: dict[str, Any]) -> None:
    data["changes"] = data.get("changes", 0) + 1


# end part


# part: devices
@app.get("/devices")
@requires()
def devices() -> list[str]:
    return [str(info.client.agent) for info in sessions.list(session_of().require_subject())]


@app.post("/devices/end-others")
@requires()
def end_others() -> str:
    opened = session_of()
    return str(sessions.end_all(opened.require_subject(), keep=opened))


# end part
