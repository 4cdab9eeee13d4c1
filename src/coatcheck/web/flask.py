"""Sessions for Flask: `flask.session` is the session, Flask-Login's users are its subjects.

A request goes straight down: `open_session` reads the token and opens the session, the view runs,
`save_session` commits before the response starts and adds the headers.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Unpack, cast

from coatcheck.blocking import BlockingSessions
from coatcheck.errors import CoatcheckError, ConfigurationError, StoreUnavailable
from coatcheck.extras import extra
from coatcheck.waiting import finish
from coatcheck.web.answers import Answer
from coatcheck.web.application import behind, set_up
from coatcheck.web.environ import anew, enter, entered, is_file
from coatcheck.web.exchange import OWN, Exchange
from coatcheck.web.gate import GateOptions
from coatcheck.web.permanent import UnseenPermanent, follow
from coatcheck.web.requires import Age, View, guarded
from coatcheck.web.reuse import require_new
from coatcheck.web.streams import Chunks, has_length, watched
from coatcheck.web.transport import raw, text

with extra("flask"):
    from flask import Flask, Request, Response, got_request_exception, request
    from flask import session as current
    from flask.sessions import SessionInterface as FlaskInterface
    from flask.sessions import SessionMixin

    # They need what Flask brings along.
    from coatcheck.web.flask_session import FlaskSession, adopt, distrust

_ANSWER, _REPORTS = "coatcheck.answer", "coatcheck.reports"
_OPENED = "coatcheck.opened"  # in the request itself, as an environ may serve several

cast("Any", SessionMixin).register(FlaskSession)  # not derived from: it would make it larger


class _Unseen(UnseenPermanent, FlaskSession):
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
    return behind(session, current, FlaskSession, "give the app to coatcheck's SessionInterface")


def requires(*, level: int = 1, max_age: Age = None) -> Callable[[View], View]:
    """Keep a view for who is authenticated so well, and so recently.

    See `Session.require`; `@requires()` asks for a login.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """
    return guarded(lambda *_, **__: session_of(), level, max_age)


class SessionInterface(FlaskInterface):
    """Takes the place of `app.session_interface`.

    The application's `SESSION_COOKIE_*` hold where they differ from Flask's defaults. With
    `session.permanent` the browser keeps a token for `PERMANENT_SESSION_LIFETIME` where that
    differs from Flask's default, else for the policy's absolute lifetime, from when it is handed
    out: it is sent when it changes, never to refresh it, whatever `SESSION_REFRESH_EACH_REQUEST`
    says. How long the session itself lives is the policy's to say.

    Flask-Login works as it is: a user who logs in gets a new token and is the session's subject, a
    user who logs out leaves nothing but this request's messages behind.

    Errors of the session are answered with 401, 403, 409 and 503, unless the application has its
    own handlers for `Unauthenticated`, `CSRFRefused`, `Superseded` and `StoreUnavailable`; those
    are asked too when the commit fails after the view.

    Args:
        app: the application, whose configuration is complete.
        sessions: where sessions come from.
        options: see `coatcheck.web.GateOptions`; a transport is in place of what the configuration
            says.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    session_class = FlaskSession

    def __init__(
        self,
        app: Flask,
        sessions: BlockingSessions,
        **options: Unpack[GateOptions],
    ) -> None:
        if not isinstance(app, Flask):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("app", f"{app!r} is no Flask application")
        if not isinstance(sessions, BlockingSessions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("sessions", f"Flask needs BlockingSessions, not {sessions!r}")
        if isinstance(app.session_interface, SessionInterface):
            raise ConfigurationError(
                "app", "has coatcheck's sessions already: make one SessionInterface for each app"
            )
        self._gate, self._permanent = set_up(
            app,
            sessions.inner,
            options,
            defaults=Flask.default_config,
            of=_Unseen,
            adapter=__name__,
            refuse=self._refuse,
        )
        self._app = app
        app.session_interface = self
        got_request_exception.connect(self._give_up, app)
        app.before_request_funcs[None].insert(0, self._keep_out)
        app.teardown_request(self._leave)

    def _keep_out(self) -> None:
        """Refuse, before anything of the application runs, what did not come from its pages.

        Raises:
            CSRFRefused: the request did not.
            StoreUnavailable: nobody can tell.
        """
        if (refused := enter(self._gate, request.environ).refused) is not None:
            raise refused

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
        if app.testing:  # as a test client's requests have it, but not its `session_transaction`
            request.environ.setdefault("REMOTE_ADDR", "127.0.0.1")
        if _OPENED not in vars(request):
            vars(request)[_OPENED] = True
            request.environ = anew(self._gate, request.environ)
        session = enter(self._gate, request.environ).session
        distrust(session)
        adopt(session, getattr(app, "login_manager", None))
        return session

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        """Commit, and tell the browser; or turn the response into an error of the session."""
        environ = request.environ  # to ask a proxy costs more than most of what follows
        exchange = enter(self._gate, environ)
        if exchange.session is not session:
            raise RuntimeError("this session is of another request")
        if (answer := environ.pop(_ANSWER, None)) is not None:
            _replace(response, answer)
        elif not exchange.is_answered:
            try:
                self._commit(exchange, response)
            except CoatcheckError as error:
                self._answer(exchange, error, response)
            self._depart(exchange, response)
            if response.is_streamed and not is_file(response.response, environ):
                _guard(exchange, response)
                if exchange.session.state.is_seen and not response.direct_passthrough:
                    environ[_REPORTS] = True  # as what makes it may change the session
                    response.call_on_close(exchange.report_unsaved)
        exchange.is_over = True

    def _commit(self, exchange: Exchange, response: Response) -> None:
        status = response.status_code
        if exchange.saves(status):
            cast("FlaskSession", exchange.session).follow()
            follow(exchange.session, self._permanent)
        # Who looks first in `teardown_request`, or in a test, changes nothing about the response;
        # what makes a stream might, and finds out when it begins.
        finish(exchange.commit(status, is_last=False))

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
        if exchange.is_answered:
            return
        require_new(response, hands_over=exchange.hands_over)
        _add(exchange, response)

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
        elif not request.environ.get(_REPORTS):  # a stream, when it is closed
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


def _guard(exchange: Exchange, response: Response) -> None:
    """Let a stream look no more for the first time, and stop when the session is over.

    One that has a length ends by itself, and cannot end before.
    """
    chunks = cast("Iterable[Any]", response.response)
    watch = None if has_length(response.headers.keys()) else exchange.watch()
    guarded = chunks if watch is None else watched(chunks, watch)
    response.response = Chunks(guarded, exchange, getattr(chunks, "close", None))


def _add(exchange: Exchange, response: Response) -> None:
    """Add what the session adds; of the response's own headers, only these matter."""
    headers = response.headers
    own = raw([header for header in headers if header[0].lower().endswith(OWN)])
    if (changed := exchange.depart(own)) is own:
        return
    if own:
        for name in {name for name, _ in text(own)}:
            headers.remove(name)
    for name, value in text(changed):
        headers.add(name, value)


def _set(response: Response, headers: list[tuple[bytes, bytes]]) -> None:
    response.headers.clear()
    response.headers.extend(text(headers))
