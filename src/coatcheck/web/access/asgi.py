"""Access tokens for ASGI applications: FastAPI, Starlette, Litestar, Quart, any other."""

from typing import Any, Protocol

from coatcheck.core.claims import Claims
from coatcheck.errors import ConfigurationError
from coatcheck.sessions import Sessions
from coatcheck.tokens.verifier import Verifier
from coatcheck.web.access.checkpoint import Checkpoint
from coatcheck.web.access.claims import CLAIMS, claims_in
from coatcheck.web.access.refusal import reply
from coatcheck.web.asgi import App, Message, Receive, Scope, Send, has_session, respond
from coatcheck.web.lifespan import made_or_error, stop_the_start


class Connection(Protocol):
    """A request or a WebSocket of any framework that has its ASGI scope."""

    @property
    def scope(self) -> Any:
        """The ASGI scope."""
        ...


def claims_of(connection: Connection) -> Claims:
    """Return what the access token of a request says.

    Raises:
        Unauthenticated: there is none, where it may be left out. `refusal` has the answer.
        RuntimeError: no `AccessTokenMiddleware` is around the application.
    """
    return claims_in(connection.scope)


class AccessTokenMiddleware:
    """Answers requests without a good access token by 401 (RFC 6750 3); `claims_of` has the rest.

    Args:
        app: the ASGI application inside, all of which asks for a token. Of Starlette and FastAPI it
            is to be added by `add_middleware`, so that what routes raise comes here; what needs no
            token is another application beside it.
        verifier: tells which tokens are good.
        sessions: where the session is looked up that a token was issued from, so that its end
            counts at once, at the price of one look at the store. `None`: a token is good until it
            expires.
        optional: whether requests without a token pass as well. One with a bad token never does.

    Raises:
        ConfigurationError: an argument cannot work. See `coatcheck.web.asgi.SessionMiddleware`.
    """

    def __init__(
        self,
        app: App,
        *,
        verifier: Verifier,
        sessions: Sessions | None = None,
        optional: bool = False,
    ) -> None:
        self._app = app
        self._checkpoint = made_or_error(lambda: Checkpoint(verifier, sessions, optional=optional))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        if isinstance(self._checkpoint, ConfigurationError):
            await stop_the_start(self._checkpoint, scope, receive, send)
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise RuntimeError(f"no access token comes with a {kind}")
        try:
            scope[CLAIMS] = await self._checkpoint.enter(list(scope["headers"]))
        except Exception as error:
            await _answer(error, scope, send)
            return
        is_left = has_session(scope)  # to it, which undoes what the request changed

        async def sending(message: Message) -> None:
            nonlocal is_left
            is_left = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if is_left:
                raise
            await _answer(error, scope, send)


async def _answer(error: Exception, scope: Scope, send: Send) -> None:
    """Answer an error, or leave it to whoever is outside.

    Raises:
        Exception: it is the application's.
    """
    if (answer := reply(error)) is None:
        raise error
    await respond(scope, send, answer)
