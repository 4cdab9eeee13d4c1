"""Sessions for Flask: `flask.session` is the session, Flask-Login's users are its subjects.

A request goes straight down: `open_session` reads the token and opens the session, the view runs,
`save_session` commits before the response starts and adds the headers.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from coatcheck.blocking import BlockingSessions
from coatcheck.core.intents import SignIn
from coatcheck.core.session import Session
from coatcheck.core.unseen import Unseen, look
from coatcheck.errors import ConfigurationError, StoreUnavailable, Superseded, Unauthenticated
from coatcheck.waiting import finish
from coatcheck.web.answers import Answer
from coatcheck.web.cookie_settings import transport_of
from coatcheck.web.environ import enter, leave, raw, text
from coatcheck.web.exchange import Exchange
from coatcheck.web.extras import extra
from coatcheck.web.gate import Gate, Passive
from coatcheck.web.permanent import PERMANENT, PermanentSession, follow, lifetime, stored
from coatcheck.web.transport import Transport

with extra("flask"):
    from flask import Flask, Request, Response, request
    from flask import session as current
    from flask.sessions import SessionInterface as FlaskInterface
    from flask.sessions import SessionMixin

# What Flask-Login keeps among the data.
_USER = "_user_id"
_OF_LOGIN = ("_user_id", "_fresh", "_id", "_remember", "_remember_seconds")
_OUTLIVE_LOGOUT = ("_remember", "_remember_seconds", "_flashes", PERMANENT)


class FlaskSession(PermanentSession):
    """A session with what Flask asks of one. What changed is found out; nothing has to be said."""

    __slots__ = ()


cast("Any", SessionMixin).register(FlaskSession)  # not derived from: it would make it larger


class _Unseen(Unseen, FlaskSession):
    """Nobody has looked at it yet; Flask asks for nothing but these two."""

    __slots__ = ()
    seen = FlaskSession


def session_of(session: SessionMixin = current) -> FlaskSession:
    """Return what `flask.session` is, typed: Flask knows it as a mapping.

    Raises:
        StoreUnavailable: it could not be loaded. Left alone, it becomes a 503.
        RuntimeError: this application has other sessions; or no request is being served, or its
            response has started and nobody looked before.
    """
    found = cast("Any", session)
    found = found._get_current_object() if session is current else found
    if not isinstance(found, FlaskSession):
        raise RuntimeError("no session here: set app.session_interface to coatcheck's")
    return cast("FlaskSession", look(found))


class SessionInterface(FlaskInterface):
    """What `app.session_interface` is set to.

    The application's `SESSION_COOKIE_*` hold where they differ from Flask's defaults. With
    `session.permanent` the cookie outlives the browser, for `PERMANENT_SESSION_LIFETIME` where that
    differs from Flask's default and else for the policy's absolute lifetime. How long the session
    itself lives is the policy's to say.

    Flask-Login works as it is: a user who logs in gets a new token and is the session's subject, a
    user who logs out leaves nothing but messages behind.

    Args:
        app: the application, whose configuration is complete.
        sessions: where sessions come from.
        transport: in place of what the configuration says.
        development, trusted_proxies, passive: see `coatcheck.web.gate.Gate`.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    session_class = FlaskSession

    def __init__(
        self,
        app: Flask,
        sessions: BlockingSessions,
        *,
        transport: Transport | None = None,
        development: bool = False,
        trusted_proxies: Sequence[str] = (),
        passive: Passive = (),
    ) -> None:
        if not isinstance(app, Flask):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("app", f"{app!r} is no Flask application")
        if not isinstance(sessions, BlockingSessions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("sessions", f"Flask needs BlockingSessions, not {sessions!r}")
        if isinstance(app.session_interface, SessionInterface):
            raise ConfigurationError("app", "has coatcheck's sessions already")
        config = cast("Mapping[str, Any]", app.config)
        self._gate = Gate(
            sessions.inner,
            transport or transport_of(config, Flask.default_config),
            development=development,
            trusted_proxies=trusted_proxies,
            passive=passive,
            of=_Unseen,
        )
        self._permanent = lifetime(config, Flask.default_config, sessions.policy.absolute)
        for error in (StoreUnavailable, Superseded, Unauthenticated):
            app.register_error_handler(error, self._refuse)
        app.teardown_request(self._leave)

    def is_null_session(self, obj: object) -> bool:
        """There is always a session; asking for its class would be a look."""
        return False

    def open_session(self, app: Flask, request: Request) -> Any:
        """Open the session of a request; the first look at it raises what went wrong."""
        return enter(self._gate, request.environ).session

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        """Commit, and tell the browser; or turn the response into an error of the session."""
        exchange = enter(self._gate, request.environ)
        if exchange.session is not session:
            raise RuntimeError("this session is of another request")
        leave(request.environ)
        if exchange.is_answered:
            return
        try:
            self._commit(exchange, response.status_code)
        except Exception as error:
            if (answer := exchange.answer(error)) is None:
                raise
            _replace(response, answer)
            return
        _depart(exchange, response)
        if response.is_streamed:
            response.call_on_close(exchange.report_unsaved)

    def _commit(self, exchange: Exchange, status: int) -> None:
        session, state = exchange.session, exchange.session.state
        if state.is_seen and state.failure is None and status < 500:
            _follow_login(session)
            follow(session, self._permanent)
        finish(exchange.commit(status))

    def _refuse(self, error: Exception) -> Response:
        """Answer an error of the session that left a view."""
        response = Response()
        answer = finish(enter(self._gate, request.environ).fail(error))
        if answer is None:
            raise error
        _replace(response, answer)
        return response

    def _leave(self, _: BaseException | None) -> None:
        """Let an `end()` hold where an error went past Flask, as it does in tests."""
        if (exchange := leave(request.environ)) is not None:
            finish(exchange.leave())


def _follow_login(session: Session) -> None:
    """Let the subject be who Flask-Login says, as far as this request changed that."""
    if isinstance(session.state.privilege, SignIn):
        return  # the application signed in by itself
    user = session.get(_USER)
    was = stored(session, _USER)
    if user is not None and user != was:
        kept = _some(session, _OF_LOGIN)
        session.sign_in(str(user))  # over another user's session it starts empty
        session.update(kept)
    elif user is None and was is not None:
        kept = _some(session, _OUTLIVE_LOGOUT)
        session.end()
        session.update(kept)
    elif session.get("_fresh") and not stored(session, "_fresh", default=True):
        session.rotate()  # the user has just proved again who it is


def _some(session: Session, keys: Iterable[str]) -> dict[str, Any]:
    return {key: session[key] for key in keys if key in session}


def _replace(response: Response, answer: Answer) -> None:
    """Turn a response into an answer; nothing of what the application said is left."""
    response.close()
    response.status_code = answer.status
    response.direct_passthrough = False
    response.set_data(answer.body)
    _set(response, answer.headers)


def _depart(exchange: Exchange, response: Response) -> None:
    """Add what the session adds; of the response's own headers, only these two may change."""
    headers = response.headers
    own = raw([header for header in headers if header[0].lower() in ("vary", "cache-control")])
    if (changed := exchange.depart(own)) is own:
        return
    for name, _ in text(own):
        headers.remove(name)
    for name, value in text(changed):
        headers.add(name, value)


def _set(response: Response, headers: list[tuple[bytes, bytes]]) -> None:
    response.headers.clear()
    response.headers.extend(text(headers))
