"""No sessions: every request gets the same dict, so that the handlers do the same work."""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from bench import data
from bench.apps.starlette.pages import application


class OneDict:
    """Stands where a session middleware would."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._data = data.session(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"] = self._data
        await self._app(scope, receive, send)


app = application(Middleware(OneDict))
