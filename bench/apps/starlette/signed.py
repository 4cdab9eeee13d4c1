"""Starlette's own sessions: all data in a signed cookie."""

from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

from bench.apps.starlette.pages import application

app = application(
    Middleware(
        SessionMiddleware,
        secret_key="a secret",  # noqa: S106 - it protects nothing
        https_only=True,
    )
)
