"""Dependencies for FastAPI, beside the middleware of `coatcheck.web.asgi`.

Either is what a parameter's annotation says: `async def me(user: CurrentUser) -> str`.
"""

from typing import Annotated, Any

from coatcheck.core.claims import Claims
from coatcheck.core.session import Session
from coatcheck.extras import extra
from coatcheck.web.asgi import session_of
from coatcheck.web.claims import claims_in
from coatcheck.web.requires import Age, demanding

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


async def _claims(connection: HTTPConnection) -> Claims:
    return claims_in(connection.scope)


CurrentClaims = Annotated[Claims, Depends(_claims)]
"""Who presents an access token, behind an `AccessTokenMiddleware`; without one, 401."""


def requires(*, level: int = 1, max_age: Age = None) -> Any:
    """Return a dependency that keeps routes for who is authenticated so well, and so recently.

    `dependencies=[requires(level=2)]`, or as a parameter that is the user id:
    `user: Annotated[str, requires(level=2, max_age="5m")]`. See `Session.require`.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """
    check = demanding(level, max_age)

    async def user(session: CurrentSession) -> str:
        return check(session)

    return Depends(user)
