"""Sessions for Flask: `flask.session` is the session, Flask-Login's users are its subjects.

A request goes straight down: `open_session` reads the token and opens the session, the view runs,
`save_session` commits before the response starts and adds the headers.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

from flask import Flask, Request, Response, got_request_exception, request
from flask import session as current
from flask.sessions import SessionInterface as FlaskInterface
from flask.sessions import SessionMixin
from markupsafe import Markup

from coatcheck.blocking import BlockingSessions
from coatcheck.core.intents import SignIn
from coatcheck.core.session import Session
from coatcheck.core.unseen import Unseen, look
from coatcheck.errors import (
    CoatcheckError,
    ConfigurationError,
    StoreUnavailable,
    Superseded,
    Unauthenticated,
)
from coatcheck.waiting import finish
from coatcheck.web.answers import Answer
from coatcheck.web.cookie_settings import transport_of
from coatcheck.web.environ import enter, entered, raw, text
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate, Passive
from coatcheck.web.transport import Transport

# What Flask and Flask-Login keep among the data.
_PERMANENT, _FLASHES, _USER, _FRESH = "_permanent", "_flashes", "_user_id", "_fresh"
_OF_LOGIN = (_USER, _FRESH, "_id", "_remember", "_remember_seconds")
_HTML = "__html__"
_ANSWER = "coatcheck.answer"


class FlaskSession(Session):
    """A session with what Flask asks of one. What changed is found out; nothing has to be said.

    Who Flask-Login puts in is signed in at that moment, as by `sign_in`; who it takes out ends the
    session, as by `end`. So what the request puts in afterwards is kept whatever others do.
    """

    __slots__ = ()

    def __setitem__(self, key: str, value: Any) -> None:
        if key == _USER:
            self._be_of(value)
        elif key == _FLASHES:
            value = [_stored_message(message) for message in value]
        super().__setitem__(key, value)
        if key == _FRESH and value is True and self.get(_USER) is not None:
            # The user has just proved who it is, perhaps again.
            self.sign_in(str(self[_USER]), assurance=max(self.assurance, 1))

    def __delitem__(self, key: str) -> None:
        if key == _USER and key in self:
            self._leave_messages()
        else:
            super().__delitem__(key)

    def pop(self, key: str, *default: Any) -> Any:
        """Take a key out. Without the user id, the session is over."""
        value = super().pop(key, *default)
        if key == _USER and value is not None:
            self._leave_messages()
        if key == _FLASHES and value:
            return [_message(stored) for stored in value]
        return value

    def clear(self) -> None:
        """Empty the data, as many applications do to log out: it ends a user's session."""
        if _USER in self:
            self.end()
        else:
            super().clear()

    def follow(self) -> None:
        """Let the subject be who Flask-Login says, by whatever way the data changed."""
        user, was = self.get(_USER), _stored(self, _USER)
        if user is not None and user != was and str(user) != self.subject:
            said = {key: self[key] for key in _OF_LOGIN if key in self}
            kept = {key: value for key, value in said.items() if value != _stored(self, key)}
            self._be_of(user)
            dict[str, Any].update(self, kept)
        elif user is None and was is not None and not isinstance(self.state.privilege, SignIn):
            self._leave_messages()

    def _be_of(self, user: object) -> None:
        if user is None:
            if self.get(_USER) is not None:
                self._leave_messages()
        elif str(user) != self.subject:
            is_permanent = self.permanent
            for key in _OF_LOGIN:
                dict[str, Any].pop(self, key, None)
            self.sign_in(str(user))  # over another user's session it starts empty
            self.permanent = is_permanent

    def _leave_messages(self) -> None:
        """End the session; the messages of this very request are for whoever sees the answer."""
        is_permanent = self.permanent
        old: Any = _stored(self, _FLASHES) or []
        messages: Any = self.get(_FLASHES) or []
        if messages[: len(old)] == old:
            messages = messages[len(old) :]
        self.end()
        self.permanent = is_permanent
        if messages:
            self[_FLASHES] = messages

    @property
    def permanent(self) -> bool:
        """Whether the browser keeps the cookie when it is closed."""
        return bool(self.get(_PERMANENT))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if value:
            self[_PERMANENT] = True
        else:
            self.pop(_PERMANENT, None)

    @property
    def new(self) -> bool:
        """Whether nothing is stored yet."""
        return self.state.base is None

    @property
    def modified(self) -> bool:
        """Whether there is anything to save. May be set, to no effect: nested changes are seen."""
        return self.state.is_unsaved(self)

    @modified.setter
    def modified(self, value: bool) -> None:
        pass

    @property
    def accessed(self) -> bool:
        """Whether anybody looked at it. Setting it is no look: Flask does so for its own ends."""
        return self.state.is_seen

    @accessed.setter
    def accessed(self, value: bool) -> None:
        pass


cast("Any", SessionMixin).register(FlaskSession)  # not derived from: it would make it larger


class _Unseen(Unseen, FlaskSession):
    """Nobody has looked at it yet."""

    __slots__ = ()
    seen = FlaskSession

    def __contains__(self, key: object) -> bool:
        # Flask-Login asks for this after every request, static files and all. As nobody else has
        # looked, it cannot have put it in, and the answer depends on nothing that is stored.
        if key == "_remember" and "_remember" not in (self.state.unseen or ()):
            return False
        return super().__contains__(key)


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
    `session.permanent` the browser keeps a token for `PERMANENT_SESSION_LIFETIME` where that
    differs from Flask's default, else for the policy's absolute lifetime, from when it is handed
    out: it is sent when it changes, never to refresh it, whatever `SESSION_REFRESH_EACH_REQUEST`
    says. How long the session itself lives is the policy's to say.

    Flask-Login works as it is: a user who logs in gets a new token and is the session's subject, a
    user who logs out leaves nothing but this request's messages behind.

    Errors of the session are answered with 401, 409 and 503, unless the application has its own
    handlers for `Unauthenticated`, `Superseded` and `StoreUnavailable`; those are asked too when
    the commit fails after the view.

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
            raise ConfigurationError(
                "app", "has coatcheck's sessions already: make one SessionInterface for each app"
            )
        config = cast("Mapping[str, Any]", app.config)
        self._gate = Gate(
            sessions.inner,
            transport or transport_of(config, Flask.default_config),
            development=development,
            trusted_proxies=trusted_proxies,
            passive=passive,
            of=_Unseen,
        )
        self._app = app
        self._permanent = _lifetime(config, sessions.policy.absolute)
        for error in (StoreUnavailable, Superseded, Unauthenticated):
            if error not in app.error_handler_spec[None][None]:
                app.register_error_handler(error, self._refuse)
        got_request_exception.connect(self._give_up, app)
        app.teardown_request(self._leave)

    def is_null_session(self, obj: object) -> bool:
        """Tell whether there is no session; asking it for its class would be a look."""
        return issubclass(type(obj), self.null_session_class)

    def open_session(self, app: Flask, request: Request) -> Any:
        """Open the session of a request; the first look at it raises what went wrong.

        Raises:
            ConfigurationError: another adapter did so already, or this is not the application that
                this was made for.
        """
        if app is not self._app:
            raise ConfigurationError(
                "app", f"is {app.name!r}: it needs a SessionInterface of its own"
            )
        return enter(self._gate, request.environ).session

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        """Commit, and tell the browser; or turn the response into an error of the session."""
        exchange = enter(self._gate, request.environ)
        if exchange.session is not session:
            raise RuntimeError("this session is of another request")
        if response.is_streamed:
            response.call_on_close(exchange.report_unsaved)
        if (answer := request.environ.pop(_ANSWER, None)) is not None:
            _replace(response, answer)
        elif not exchange.is_answered:
            try:
                self._commit(exchange, response)
            except CoatcheckError as error:
                self._answer(exchange, error, response)
            self._depart(exchange, response)
        exchange.is_over = True

    def _commit(self, exchange: Exchange, response: Response) -> None:
        session, state, status = exchange.session, exchange.session.state, response.status_code
        if state.is_seen and state.failure is None and status < 500:
            cast("FlaskSession", session).follow()
            self._follow_permanent(session)
        # Nothing of the application makes a response that is no stream any more: who looks first
        # in `teardown_request`, or in a test, changes nothing about it.
        finish(exchange.commit(status, is_last=response.is_streamed))

    def _answer(self, exchange: Exchange, error: CoatcheckError, response: Response) -> None:
        """Turn the response into what the application answers to an error of its commit.

        Raises:
            CoatcheckError: it has no answer to it.
        """
        with suppress(StoreUnavailable):
            finish(exchange.commit(500))  # what could not be saved is undone
        handled = self._app.make_response(self._app.handle_user_exception(error))
        _take(response, handled)
        if exchange.is_answered:
            return
        if isinstance(error, StoreUnavailable):
            exchange.session.state.cookies.drop_deletions()  # an outage deletes nothing
        try:
            self._commit(exchange, response)
        except Exception as again:
            if (answer := exchange.answer(again)) is None:
                raise
            _replace(response, answer)

    def _depart(self, exchange: Exchange, response: Response) -> None:
        state = exchange.session.state
        if exchange.is_answered:
            return
        if state.failure is not None:
            state.cookies.drop_deletions()
        _require_new(response, hands_over=bool(state.cookies))
        before = raw(response.headers.items())
        if (headers := exchange.depart(before)) is not before:
            _set(response, headers)

    def _follow_permanent(self, session: Session) -> None:
        """Have the cookie kept as long as the session says; a new one is needed if that changed."""
        if session.keys() == {_PERMANENT} and session.subject is None:
            dict[str, Any].clear(session)  # it is worth no session of a visitor
        is_permanent = bool(session.get(_PERMANENT))
        if is_permanent:
            session.state.kept_for = self._permanent
        is_stored = session.state.base is not None
        is_ending = not session and (session.state.is_cleared or session.subject is None)
        if is_stored and not is_ending and is_permanent != bool(_stored(session, _PERMANENT)):
            session.rotate()

    def _refuse(self, error: Exception) -> Response:
        """Answer an error of the session that left a view."""
        answer = _settle(error)
        if answer is None:
            raise error
        response = self._app.response_class()
        _replace(response, answer)
        return response

    def _give_up(self, _: Flask, exception: Exception, **__: object) -> None:
        """Have an error of the session answered that no handler was asked about.

        It left a function of `after_request`, or another handler. What comes now in its place,
        Flask's 500, may look at the session again.
        """
        if (answer := _settle(exception)) is not None:
            request.environ[_ANSWER] = answer

    def _leave(self, error: BaseException | None) -> None:
        """Let an `end()` hold where an error went past Flask; report what came too late.

        A copy of the request's context, as threads have, is torn down on its own, and without an
        error; the request goes on.
        """
        if (exchange := entered(request.environ)) is None:
            return
        if not exchange.is_over:
            if error is not None:
                finish(exchange.leave())
        elif not exchange.session.state.is_late:  # a stream reports when it is closed
            exchange.report_unsaved()


def _settle(error: Exception) -> Answer | None:
    """Return the answer to an error of the session; nothing is saved any more, and no look fails.

    Who looks from now on, as functions of `after_request` do, finds nothing where nothing was
    loaded.
    """
    exchange = entered(request.environ)
    answer = None if exchange is None else finish(exchange.fail(error))
    if exchange is not None and answer is not None:
        exchange.session.state.failure = None
    return answer


def _lifetime(config: Mapping[str, Any], absolute: timedelta) -> int:
    name = "PERMANENT_SESSION_LIFETIME"
    asked = config.get(name)
    if asked is None or asked == Flask.default_config[name]:
        return int(absolute.total_seconds())
    try:
        lifetime = asked if isinstance(asked, timedelta) else timedelta(seconds=asked)
    except (TypeError, OverflowError):
        raise ConfigurationError(name, f"{asked!r} is no timedelta, nor seconds") from None
    if lifetime < timedelta(seconds=1):
        raise ConfigurationError(name, "is below a second")
    if lifetime > absolute:
        raise ConfigurationError(name, "is longer than Policy.absolute: set that as well")
    return int(lifetime.total_seconds())


def _stored(session: Session, key: str) -> object:
    """Return what the session held when it was opened."""
    state = session.state
    if key.encode() not in state.content:
        return None
    return state.settings.codec.decode(state.content).get(key)


def _stored_message(message: tuple[str, Any]) -> tuple[str, Any]:
    """Return a message of `flash` as it is stored: what is HTML is said to be, as Flask does."""
    category, shown = message
    if (html := getattr(shown, "__html__", None)) is None:
        return message
    return category, {_HTML: str(html())}


def _message(stored: tuple[str, Any]) -> tuple[str, Any]:
    """Return what `_stored_message` was given."""
    category, shown = stored
    if not isinstance(shown, dict):
        return stored
    return category, Markup(cast("dict[str, str]", shown)[_HTML])  # noqa: S704 - it was HTML before


def _require_new(response: Response, *, hands_over: bool) -> None:
    """Refuse a response that serves several requests, if a token of one of them is in it.

    Raises:
        RuntimeError: it does.
    """
    sent = cast("Any", response)
    before: bool | None = vars(response).get("_coatcheck_hands_over")
    if before or (hands_over and before is not None):
        raise RuntimeError(
            "this response was sent before, and one of its requests gets a session cookie, which "
            "is nobody else's: make a new response for each request"
        )
    sent._coatcheck_hands_over = hands_over


def _replace(response: Response, answer: Answer) -> None:
    """Turn a response into an answer; nothing of what the application said is left."""
    _take(response, Response(answer.body, answer.status, direct_passthrough=False))
    _set(response, answer.headers)


def _take(response: Response, other: Response) -> None:
    """Turn a response into another one; both are closed when it is."""
    if (close := getattr(response.response, "close", None)) is not None:
        response.call_on_close(close)
    response.call_on_close(other.close)
    response.response, response.status = other.response, other.status
    response.direct_passthrough = other.direct_passthrough
    _set(response, raw(other.headers.items()))


def _set(response: Response, headers: list[tuple[bytes, bytes]]) -> None:
    response.headers.clear()
    response.headers.extend(text(headers))
