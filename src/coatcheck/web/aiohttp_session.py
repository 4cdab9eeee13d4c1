"""coatcheck's sessions for applications that are written for aiohttp_session.

    setup(app, sessions)  # in place of aiohttp_session.setup(app, storage)

What they ask `aiohttp_session.get_session(request)` for, they read and write in the session of
`coatcheck.web.aiohttp`, which is committed as there; both may be used in one handler.
"""

import time
from contextvars import ContextVar
from typing import Any, Unpack

from coatcheck.core import session as ours
from coatcheck.extras import extra
from coatcheck.sessions import Sessions
from coatcheck.web.gate import GateOptions

with extra("aiohttp-session", "aiohttp", "aiohttp_session"):
    import aiohttp_session
    from aiohttp import web
    from aiohttp.typedefs import Handler

    from coatcheck.web import aiohttp as adapter

_request: ContextVar[web.Request] = ContextVar("coatcheck.request")


class Session(aiohttp_session.Session):
    """A session of coatcheck's with the methods of aiohttp_session's.

    Nested changes are seen, so `changed()` need not be called. `invalidate()` ends the session;
    what is put in afterwards starts a new one. `identity` is the public handle, never the token.
    """

    def __init__(self, session: ours.Session) -> None:
        super().__init__(None, data=None, new=True)
        self._mapping = self._session = session

    @property
    def new(self) -> bool:
        """Whether nothing is stored yet."""
        return self._session.id is None

    @property
    def identity(self) -> str | None:
        """What may be logged of the session; `None` until stored."""
        return self._session.id

    @property
    def created(self) -> int:
        """When the session was first stored, seconds UTC; now while it is not."""
        created_at = self._session.created_at
        return int(created_at.timestamp() if created_at else time.time())

    @property
    def max_age(self) -> int | None:
        """For how many seconds the browser keeps a cookie that this request hands out.

        How long the session lives is the policy's to say. `None`: the transport's settings hold.
        """
        return self._session.state.kept_for

    @max_age.setter
    def max_age(self, value: int | None) -> None:
        if value is not None and value < 1:
            raise ValueError("max_age is below a second: to end the session, call invalidate()")
        self._session.state.kept_for = value

    def invalidate(self) -> None:
        """End the session: no copy of its cookie opens anything any more."""
        self._session.end()

    def set_new_identity(self, identity: Any) -> None:
        """Refuse it: a token that somebody else knew could be used by them."""
        raise RuntimeError("coatcheck makes its tokens itself: call rotate() of its session")


class Storage(aiohttp_session.AbstractStorage):
    """Where aiohttp_session finds coatcheck's sessions; `setup` puts it in."""

    async def new_session(self) -> Session:
        """End the session of this request, and start a new one."""
        session = adapter.session_of(_request.get())
        session.end()
        return Session(session)

    async def load_session(self, request: web.Request) -> Session:
        """Return the session of this request."""
        return Session(adapter.session_of(request))

    async def save_session(
        self, request: web.Request, response: web.StreamResponse, session: aiohttp_session.Session
    ) -> None:
        """Do nothing: it is committed with the response, whatever that is."""


def setup(
    app: web.Application,
    sessions: Sessions,
    **options: Unpack[GateOptions],
) -> None:
    """Give an application sessions, for aiohttp_session's functions and for coatcheck's.

    The arguments and errors are those of `coatcheck.web.aiohttp.setup`.
    """
    adapter.setup(app, sessions, **options)

    @web.middleware
    async def remember(request: web.Request, handler: Handler) -> web.StreamResponse:
        token = _request.set(request)
        try:
            return await handler(request)
        finally:
            _request.reset(token)

    app.middlewares[1:1] = [remember, aiohttp_session.session_middleware(Storage())]
