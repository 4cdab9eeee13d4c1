"""Flask's own sessions: all data in a signed cookie."""

from bench.apps.flask.pages import application

app = application()
app.secret_key = "a secret"  # noqa: S105 - it protects nothing
app.config["SESSION_COOKIE_SECURE"] = True
