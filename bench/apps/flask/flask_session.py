"""Flask-Session with Redis."""

import flask_session
from redis import Redis

from bench.apps.flask.pages import application
from bench.apps.store import STORE

app = application()
app.config.update(
    SESSION_TYPE="redis", SESSION_REDIS=Redis.from_url(STORE), SESSION_COOKIE_SECURE=True
)
flask_session.Session(app)
