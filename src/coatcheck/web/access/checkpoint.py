"""Lets requests pass that have a good access token; written once for ASGI and WSGI."""

import logging
import time

from coatcheck.core.claims import Claims
from coatcheck.errors import ConfigurationError, InvalidToken, Unauthenticated
from coatcheck.sessions import Sessions
from coatcheck.tokens.verifier import Verifier
from coatcheck.web.bearer import bearer_in
from coatcheck.web.transport import Headers

_HEADER = b"authorization"
_QUIET = 1
"""Seconds for which the same is not logged again: strangers decide how often it is so."""
_log = logging.getLogger("coatcheck")


class Checkpoint:
    """Asks each request for an access token.

    Args:
        verifier: tells which are good.
        sessions: where the session is looked up that a token was issued from, so that the end of it
            counts at once; `None`: a token is good until it expires.
        optional: whether requests without a token pass as well. One with a bad token never does.

    Raises:
        ConfigurationError: `verifier` or `sessions` is of another type.
    """

    def __init__(self, verifier: Verifier, sessions: Sessions | None, *, optional: bool) -> None:
        if not isinstance(verifier, Verifier):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("verifier", f"a {type(verifier).__name__} is no Verifier")
        if not isinstance(sessions, Sessions | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("sessions", f"a {type(sessions).__name__} is no Sessions")
        self._verifier, self._sessions, self._optional = verifier, sessions, optional
        self._quiet_until: dict[str, float] = {}

    async def enter(self, headers: Headers) -> Claims | None:
        """Return what the token of a request says; `None` where it has none, and needs none.

        Args:
            headers: with lower-case names.

        Raises:
            Unauthenticated: it has none, or one that is not good (`InvalidToken`).
            StoreUnavailable: nobody can tell whether its session still stands.
        """
        try:
            return await self._claims(headers)
        except InvalidToken as error:
            if (now := time.monotonic()) >= self._quiet_until.get(error.problem, 0):
                self._quiet_until[error.problem] = now + _QUIET
                _log.info("%s", error)
            raise

    async def _claims(self, headers: Headers) -> Claims | None:
        try:
            token = bearer_in(headers)
        except ValueError:
            raise InvalidToken("another authorization came with it") from None
        if token is None:
            if any(b"bearer" in value.lower() for name, value in headers if name == _HEADER):
                raise InvalidToken("it is not as Authorization has it")
            if self._optional:
                return None
            raise Unauthenticated("the request has no access token")
        claims = self._verifier.verify(token)
        if self._sessions is not None:
            await self._sessions.require_live(claims)
        return claims
