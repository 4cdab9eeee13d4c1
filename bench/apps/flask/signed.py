"""Flask's own sessions: all data in a signed cookie."""

from bench.apps.flask.pages import application

app = application()
app.config.update(SECRET_KEY="a secret", SESSION_COOKIE_SECURE=True)
