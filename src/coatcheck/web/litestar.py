"""Sessions for Litestar: `request.session` is the session, by a plugin.

They are opened and committed as in any ASGI application, around the middleware of each route.
"""

from collections.abc import Callable, Mapping
from typing import Any, Unpack, cast

from coatcheck.core.session import Session
from coatcheck.core.unseen import look
from coatcheck.errors import ConfigurationError
from coatcheck.extras import extra
from coatcheck.sessions import Sessions
from coatcheck.web.answers import ERRORS, answer
from coatcheck.web.asgi import App, Scope, refuse, serve
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate, GateOptions
from coatcheck.web.requires import Age, demanding

with extra("litestar"):
    from litestar import Request, Response
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.di import NamedDependency, Provide
    from litestar.handlers import BaseRouteHandler
    from litestar.middleware import DefineMiddleware
    from litestar.middleware._internal.exceptions import ExceptionHandlerMiddleware
    from litestar.middleware.session.base import SessionMiddleware
    from litestar.plugins import InitPlugin
    from litestar.security.session_auth.middleware import MiddlewareWrapper
    from litestar.types import Empty
    from litestar.types import Scope as LitestarScope
    from litestar.utils.scope.state import ScopeState


CurrentSession = NamedDependency[Session]
"""The session, for a handler's parameter that is named `session`: `session: CurrentSession`."""


def session_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Session:
    """Return what `request.session` or `socket.session` is, typed: Litestar knows a plain dict.

    Raises:
        StoreUnavailable: it could not be loaded. Left alone, it becomes a 503.
        RuntimeError: the application has no `SessionPlugin`, or the response has started and nobody
            looked before.
    """
    return _look(cast("Scope", connection.scope))


def requires_subject(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard routes against those who are not signed in: `guards=[requires_subject]`.

    Raises:
        Unauthenticated: nobody is. Left alone, it becomes a 401.
    """
    session_of(connection).require_subject()


def requires(
    *, level: int = 1, max_age: Age = None
) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    """Return a guard for routes of who is authenticated so well, and so recently.

    `guards=[requires(level=2, max_age="5m")]`. See `Session.require`.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """
    check = demanding(level, max_age)

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        check(session_of(connection))

    return guard


class SessionPlugin(InitPlugin):
    """Give an application sessions: `Litestar(..., plugins=[SessionPlugin(sessions)])`.

    A handler that asks for `session: CurrentSession` is given it, unless the application has
    something else of that name. `request.clear_session()` ends the session,
    `request.set_session(data)` replaces its data.

    Args:
        sessions: where sessions come from.
        options: see `coatcheck.web.GateOptions`.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    def __init__(
        self,
        sessions: Sessions,
        **options: Unpack[GateOptions],
    ) -> None:
        self._gate = Gate(sessions, **options, adapter=__name__)
        self._sessions = sessions

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """See `InitPlugin`."""
        for middleware in app_config.middleware:
            kind = middleware.middleware if isinstance(middleware, DefineMiddleware) else None
            if isinstance(kind, type) and issubclass(kind, SessionMiddleware):
                raise ConfigurationError("middleware", "has Litestar's sessions: leave them out")
        if sum(isinstance(plugin, SessionPlugin) for plugin in app_config.plugins) > 1:
            raise ConfigurationError("plugins", "has coatcheck's sessions twice: leave one out")
        app_config.middleware.insert(0, DefineMiddleware(_Around, self._gate))
        app_config.dependencies.setdefault("session", Provide(_provide, sync_to_thread=False))
        untyped: Any = app_config  # Litestar leaves out what its handlers are generic in
        for error in ERRORS:
            untyped.exception_handlers.setdefault(error, _refuse)
        untyped.after_exception.append(_refuse_socket)
        app_config.on_shutdown.append(self._sessions.flush)
        return app_config


class _Around(MiddlewareWrapper):
    """The middleware of a route.

    By the kind of it Litestar's own plugins, such as that of flash messages, see that there are
    sessions; its command line takes it for no backend.

    What other middleware raises is answered inside, as any response that may depend on the session.
    """

    def __init__(self, gate: Gate, app: Any) -> None:
        self._gate, self._inner = gate, cast("App", ExceptionHandlerMiddleware(app, debug=None))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await serve(self._inner, self._gate, scope, receive, send, _follow)


def _follow(exchange: Exchange, scope: Scope, _: int) -> bool:
    """Do what `request.clear_session()` and `request.set_session()` said by replacing ours.

    A mounted application, which has the same scope, may have sessions of its own; return whether
    that is the case.

    Raises:
        ConfigurationError: Litestar's own sessions replaced it.
    """
    session, said = exchange.session, scope["session"]
    if said is session:
        return False
    if getattr(scope.get("route_handler"), "is_mount", False):
        return True
    if ScopeState.from_scope(cast("LitestarScope", scope)).session_id is not Empty:
        raise ConfigurationError(
            "middleware", "of this route has Litestar's sessions, or is SessionAuth: leave it out"
        )
    scope["session"] = session
    if said is Empty or not said:
        session.end()
    elif isinstance(said, Mapping):
        session.clear()
        session.update(cast("Mapping[str, Any]", said))
    else:
        raise TypeError(f"a session holds keys and values, not {type(said).__name__}")
    return False


def _provide(scope: LitestarScope) -> Session:
    return _look(cast("Scope", scope))


def _look(scope: Scope) -> Session:
    session = scope.get("session")
    if not isinstance(session, Session):
        raise RuntimeError("no session here: give coatcheck's SessionPlugin to the application")
    return look(session)


def _refuse(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Have an error of the session answered that left a handler; this response is not sent."""
    refuse(cast("Scope", request.scope), error)
    return Response(None, status_code=500)


async def _refuse_socket(error: Exception, scope: LitestarScope) -> None:
    """Do the same for a WebSocket, whose errors Litestar gives to no handler."""
    if cast("Scope", scope)["type"] == "websocket" and answer(error) is not None:
        refuse(cast("Scope", scope), error)
