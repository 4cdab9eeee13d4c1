"""Dependencies for FastAPI, beside the middleware of `coatcheck.web.asgi`.

Either is what a parameter's annotation says: `async def me(user: CurrentUser) -> str`.
"""

from typing import Annotated, Any

from coatcheck.core.claims import Claims
from coatcheck.core.session import Session
from coatcheck.errors import ConfigurationError
from coatcheck.extras import extra
from coatcheck.web.access.claims import claims_in, claims_or_none
from coatcheck.web.asgi import session_of
from coatcheck.web.requires import Age, demanding

with extra("fastapi"):
    from fastapi import Depends
    from fastapi.requests import HTTPConnection


class _Alone:
    """Refuses `CurrentUser | None`: of a union FastAPI takes the type, and that from the request.

    Whoever sends `?user=admin` would be that user then.
    """

    def __init__(self, name: str, instead: str = "") -> None:
        self._name, self._instead = name, instead

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        problem = "stands alone, not in a union as with None"
        if self._instead:
            problem += f": ask for {self._instead}"
        raise ConfigurationError(self._name, problem)


# Coroutines, as FastAPI runs plain functions in threads.
async def _session(connection: HTTPConnection) -> Session:
    return session_of(connection)


CurrentSession = Annotated[Session, Depends(_session), _Alone("CurrentSession")]
"""The session of a request or a WebSocket. A store that is away ends the request with 503."""


async def _user(session: CurrentSession) -> str:
    return session.require_subject()


CurrentUser = Annotated[str, Depends(_user), _Alone("CurrentUser", "OptionalUser")]
"""The user id; where nobody is signed in, the request ends with 401."""


async def _user_or_none(session: CurrentSession) -> str | None:
    return session.subject


OptionalUser = Annotated[str | None, Depends(_user_or_none), _Alone("OptionalUser")]
"""The user id, or `None` for a visitor."""


async def _claims(connection: HTTPConnection) -> Claims:
    return claims_in(connection.scope)


CurrentClaims = Annotated[Claims, Depends(_claims), _Alone("CurrentClaims", "OptionalClaims")]
"""Who presents an access token, behind an `AccessTokenMiddleware`; without one, 401."""


async def _claims_or_none(connection: HTTPConnection) -> Claims | None:
    return claims_or_none(connection.scope)


OptionalClaims = Annotated[Claims | None, Depends(_claims_or_none), _Alone("OptionalClaims")]
"""The same where the middleware is `optional`; `None` without a token."""


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
