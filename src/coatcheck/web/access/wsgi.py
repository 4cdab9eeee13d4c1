"""Access tokens for WSGI applications: Flask, Django, any other."""

from collections.abc import Iterable
from typing import Any

from coatcheck.blocking import BlockingSessions
from coatcheck.core.claims import Claims
from coatcheck.errors import ConfigurationError
from coatcheck.tokens.verifier import Verifier
from coatcheck.waiting import finish
from coatcheck.web.access.checkpoint import Checkpoint
from coatcheck.web.access.claims import CLAIMS, claims_in
from coatcheck.web.access.refusal import reply
from coatcheck.web.environ import Environ, entered, headers
from coatcheck.web.transport import text
from coatcheck.web.wsgi import App, Start, status_line


def claims_of(environ: Environ) -> Claims:
    """Return what the access token of a request says.

    Raises:
        Unauthenticated: there is none, where it may be left out. `refusal` has the answer.
        RuntimeError: no `AccessTokenMiddleware` is around the application.
    """
    return claims_in(environ)


class AccessTokenMiddleware:
    """Answers requests without a good access token by 401 (RFC 6750 3); `claims_of` has the rest.

    Args:
        app: the WSGI application inside: all of it asks for a token.
        verifier, sessions, optional: see `coatcheck.web.access.asgi.AccessTokenMiddleware`.

    Raises:
        ConfigurationError: an argument cannot work.
    """

    def __init__(
        self,
        app: App,
        *,
        verifier: Verifier,
        sessions: BlockingSessions | None = None,
        optional: bool = False,
    ) -> None:
        if not isinstance(sessions, BlockingSessions | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("sessions", f"WSGI needs BlockingSessions, not {sessions!r}")
        inner = None if sessions is None else sessions.inner
        self._app, self._checkpoint = app, Checkpoint(verifier, inner, optional=optional)

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Serve one request."""
        is_left = entered(environ) is not None  # to it, which undoes what the request changed

        def starting(*args: Any) -> Any:
            nonlocal is_left
            is_left = True
            return start_response(*args)

        try:
            environ[CLAIMS] = finish(self._checkpoint.enter(headers(environ)))
        except Exception as error:
            return _answer(error, start_response)
        try:
            return self._app(environ, starting)
        except Exception as error:
            if is_left:
                raise
            return _answer(error, start_response)


def _answer(error: Exception, start_response: Start) -> Iterable[bytes]:
    """Answer an error, or leave it to whoever is outside.

    Raises:
        Exception: it is the application's.
    """
    if (answer := reply(error)) is None:
        raise error
    start_response(status_line(answer), text(answer.headers))
    return [answer.body]
