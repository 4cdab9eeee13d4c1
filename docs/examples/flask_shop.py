"""A shop on Flask, with Flask-Login: run `flask --app flask_shop run` on your own machine."""

# part: setup
from typing import Any

from flask import Flask, flash, session
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_login import logout_user as log_out

from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.flask import SessionInterface, session_of

sessions = BlockingSessions(store_from_url("sqlite:///flask.db", blocking=True))

app = Flask(__name__)
app.config["SECRET_KEY"] = "for Flask-Login's remember cookie"
app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
SessionInterface(app, sessions, development=True)
# end part

# part: login
logins = LoginManager(app)


class User(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id


logins.user_loader(User)


@app.post("/login/<name>")
def login(name: str) -> str:
    login_user(User(name))  # check the password first
    return f"hello {name}"


@app.post("/logout")
def logout() -> str:
    flash("bye")
    log_out()
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
@login_required
def devices() -> list[str]:
    return [str(info.client.agent) for info in sessions.list(current_user.get_id())]


@app.post("/devices/end-others")
@login_required
def end_others() -> str:
    opened = session_of()
    return str(sessions.end_all(opened.require_subject(), keep=opened))


# end part
