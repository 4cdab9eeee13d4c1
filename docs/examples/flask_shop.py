"""Flask-Login on coatcheck's sessions: run `flask --app flask_shop run` on your own machine."""

# part: login
from flask import Flask, flash
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_login import logout_user as log_out

from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.flask import SessionInterface, session_of

sessions = BlockingSessions(store_from_url("sqlite:///flask.db", blocking=True))

app = Flask(__name__)
app.config["SECRET_KEY"] = "for Flask-Login's remember cookie"
app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
SessionInterface(app, sessions, development=True)
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


@app.get("/me")
@login_required
def me() -> str:
    return str(current_user.get_id())


@app.post("/devices/end-others")
@login_required
def end_others() -> str:
    return str(sessions.end_all(current_user.get_id(), keep=session_of()))


# end part
