"""Flask, with sessions in PostgreSQL, MySQL or MariaDB."""

import os

from flask import Flask, session

from coatcheck import BlockingSessions, store_from_url
from coatcheck.web.flask import SessionInterface, session_of

# part: url
sessions = BlockingSessions(store_from_url(os.environ["DATABASE_URL"], blocking=True))
# end part
app = Flask(__name__)
SessionInterface(app, sessions, development=True)


@app.post("/login/<name>")
def login(name: str) -> str:
    session_of().sign_in(name)
    return "hello"


@app.get("/visits")
def visits() -> str:
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])
