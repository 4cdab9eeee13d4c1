"""Access tokens for WSGI applications: Flask, Django, any other."""

from collections.abc import Iterable
from http.client import responses
from typing import Any

from coatcheck.blocking import BlockingSessions
from coatcheck.core.claims import Claims
from coatcheck.errors import ConfigurationError
from coatcheck.tokens.verifier import Verifier
from coatcheck.waiting import finish
from coatcheck.web.access.checkpoint import Checkpoint
from coatcheck.web.access.claims import CLAIMS, claims_in
from coatcheck.web.access.refusal import reply
from coatcheck.web.environ import Environ, headers
from coatcheck.web.transport import text
from coatcheck.web.wsgi import App, Start


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
        has_started = False

        def starting(*args: Any) -> Any:
            nonlocal has_started
            has_started = True
            return start_response(*args)

        try:
            environ[CLAIMS] = finish(self._checkpoint.enter(headers(environ)))
            return self._app(environ, starting)
        except Exception as error:
            answer = None if has_started else reply(error)
            if answer is None:
                raise
            start_response(f"{answer.status} {responses[answer.status]}", text(answer.headers))
            return [answer.body]
