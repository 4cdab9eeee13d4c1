"""A form with a token, for browsers that say nothing of the page that sent it."""

# part: form
from flask import Flask, render_template_string

from coatcheck import BlockingSessions, store_from_url
from coatcheck.web import CSRF
from coatcheck.web.flask import SessionInterface, session_of

app = Flask(__name__)
sessions = BlockingSessions(store_from_url("memory:"))
SessionInterface(app, sessions, csrf=CSRF(strict=True))

LOGIN = """
<form method="post">
  <input type="hidden" name="csrf_token" value="{{ session.csrf_token() }}">
  <input name="user"> <input name="password" type="password"> <button>Log in</button>
</form>
"""


@app.get("/login")
def form() -> str:
    return render_template_string(LOGIN)


@app.post("/login")
def login() -> str:
    session_of().sign_in("alice")  # check the password first
    return "welcome"


# end part
