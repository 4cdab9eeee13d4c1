"""Sessions for Quart: `quart.session` is the session, in WebSockets too.

They are opened and committed around the application as in any ASGI application; what Quart asks for
in its own way, it is given what is there.
"""

from collections.abc import Callable
from typing import Any, Unpack, cast

from coatcheck.errors import CoatcheckError, ConfigurationError
from coatcheck.extras import extra
from coatcheck.sessions import Sessions
from coatcheck.web.application import behind, set_up
from coatcheck.web.asgi import App, Receive, Scope, Send, enter, refuse, serve
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import GateOptions
from coatcheck.web.permanent import UnseenPermanent, follow
from coatcheck.web.requires import Age, View, guarded
from coatcheck.web.transport import raw, text

with extra("quart"):
    from quart import Quart, Response, g, has_app_context, has_request_context, request, websocket
    from quart import session as current
    from quart.sessions import SessionInterface as QuartInterface
    from quart.sessions import SessionMixin

    from coatcheck.web.forms import FormSession  # which needs what Quart brings along

_IN_A_TEST = "coatcheck.exchange"
_OF_A_TEST_CLIENT = "_quart._preserve_context"
"""What Quart's test client puts into a scope, and no server does."""


class QuartSession(FormSession):
    """A session with what Quart asks of one. What changed is found out; nothing has to be said."""

    __slots__ = ()

    def _of_request(self) -> Any:
        return g if has_app_context() else None


cast("Any", SessionMixin).register(QuartSession)  # not derived from: it would make it larger


class _Unseen(UnseenPermanent, QuartSession):
    """Nobody has looked at it yet."""

    __slots__ = ()
    seen = QuartSession


def session_of(session: SessionMixin = current) -> QuartSession:
    """Return what `quart.session` is, typed: Quart knows it as a mapping.

    Raises:
        StoreUnavailable: it could not be loaded. Left alone, it becomes a 503.
        RuntimeError: this application has other sessions; or no request is being served, or its
            response has started and nobody looked before.
    """
    advice = "give the app to coatcheck's SessionInterface, and ask while a request is served"
    return behind(session, current, QuartSession, advice)


def requires(*, level: int = 1, max_age: Age = None) -> Callable[[View], View]:
    """Keep a view for who is authenticated so well, and so recently.

    See `Session.require`; `@requires()` asks for a login.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """
    return guarded(lambda *_, **__: session_of(), level, max_age)


class SessionInterface(QuartInterface):
    """What becomes `app.session_interface` when it is made: `SessionInterface(app, sessions)`.

    The application's `SESSION_COOKIE_*` hold where they differ from Quart's defaults. With
    `session.permanent` the cookie outlives the browser, for `PERMANENT_SESSION_LIFETIME` where that
    differs from Quart's default and else for the policy's absolute lifetime. How long the session
    itself lives is the policy's to say.

    A WebSocket's session is committed when it is accepted, and by hand after that.

    Args:
        app: the application, whose configuration is complete.
        sessions: where sessions come from.
        options: see `coatcheck.web.GateOptions`; a transport is in place of what the configuration
            says.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    def __init__(
        self,
        app: Quart,
        sessions: Sessions,
        **options: Unpack[GateOptions],
    ) -> None:
        if not isinstance(app, Quart):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("app", f"{app!r} is no Quart application")
        if isinstance(app.session_interface, SessionInterface):
            raise ConfigurationError("app", "has coatcheck's sessions already")
        self._gate, self._permanent = set_up(
            app,
            sessions,
            options,
            defaults=Quart.default_config,
            of=_Unseen,
            adapter=__name__,
            refuse=_refuse,
        )
        self._inner = cast("App", app.asgi_app)
        untyped: Any = app  # Quart knows its own kind of either only
        untyped.asgi_app, untyped.session_interface = self._serve, self
        app.after_serving(sessions.flush)

    def is_null_session(self, instance: object) -> bool:
        """There is always a session; asking for its class would be a look."""
        return False

    async def open_session(self, app: Quart, request: Any) -> Any:
        """Return the session of a request; the first look at it raises what went wrong."""
        scope: Scope = request.scope
        if "session" not in scope:  # no ASGI server called us: app.test_request_context did
            _place(scope)
            scope[_IN_A_TEST] = await enter(self._gate, scope)
        return scope["session"]

    async def save_session(self, app: Quart, session: Any, response: Any) -> None:
        """Commit what a test client's `session_transaction` did; requests commit later."""
        if not has_request_context():
            return
        exchange: Exchange | None = cast("Scope", request.scope).get(_IN_A_TEST)
        if exchange is not None:
            self._prepare(exchange, {}, response.status_code)
            await exchange.commit(response.status_code, is_last=False)
            headers = exchange.depart(raw(response.headers.items()))
            response.headers.clear()
            response.headers.extend(text(headers))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            _place(scope)
            await serve(self._call, self._gate, scope, receive, send, self._prepare)
        else:
            await self._inner(scope, receive, send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application; where Quart has an error of the session in a group, take it out."""
        try:
            await self._inner(scope, receive, send)
        except ExceptionGroup as group:
            ours, others = group.split(CoatcheckError)
            if ours is None or others is not None:
                raise
            error: CoatcheckError | ExceptionGroup[CoatcheckError] = ours
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
            raise error from None

    def _prepare(self, exchange: Exchange, _: Scope, status: int) -> None:
        if exchange.saves(status):
            follow(exchange.session, self._permanent)


def _place(scope: Scope) -> None:
    """Give a request of Quart's test client the address of this machine, as it has none."""
    if _OF_A_TEST_CLIENT in scope and "client" not in scope:
        scope["client"] = ("127.0.0.1", 0)


def _refuse(error: Exception) -> Response:
    """Have an error of the session answered that left a view; this response is not sent."""
    connection = request if has_request_context() else websocket
    refuse(cast("Scope", connection.scope), error)
    return Response(status=500)
