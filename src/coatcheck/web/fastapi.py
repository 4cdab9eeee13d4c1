"""Dependencies for FastAPI, beside the middleware of `coatcheck.web.asgi`.

Either is what a parameter's annotation says: `async def me(user: CurrentUser) -> str`.
"""

from typing import Annotated

from coatcheck.core.session import Session
from coatcheck.web.asgi import session_of
from coatcheck.web.extras import extra

with extra("fastapi"):
    from fastapi import Depends
    from fastapi.requests import HTTPConnection


# Coroutines, as FastAPI runs plain functions in threads.
async def _session(connection: HTTPConnection) -> Session:
    return session_of(connection)


CurrentSession = Annotated[Session, Depends(_session)]
"""The session of a request or a WebSocket. A store that is away ends the request with 503."""


async def _user(session: CurrentSession) -> str:
    return session.require_subject()


CurrentUser = Annotated[str, Depends(_user)]
"""The user id; where nobody is signed in, the request ends with 401."""
