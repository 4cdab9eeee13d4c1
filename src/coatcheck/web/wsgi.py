"""Sessions for WSGI applications: Bottle, Pyramid and whatever speaks PEP 3333.

A request goes straight down: `environ.enter` reads the token and opens the session, the application
runs, `exchange.commit` saves before the first byte of the body, `exchange.depart` adds headers.
"""

from collections.abc import Callable, Iterable, Iterator
from http.client import responses
from typing import Any, Unpack

from coatcheck.blocking import BlockingSessions
from coatcheck.core.session import Session
from coatcheck.core.unseen import look
from coatcheck.errors import ConfigurationError
from coatcheck.lookout import Watched
from coatcheck.waiting import finish
from coatcheck.web.answers import Answer
from coatcheck.web.environ import Environ, enter, is_file
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate, GateOptions
from coatcheck.web.streams import has_length, watched
from coatcheck.web.transport import raw, text

Start = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, Start], Iterable[bytes]]

_SESSION = "coatcheck.session"


def session_of(environ: Environ) -> Session:
    """Return `environ["coatcheck.session"]`, typed.

    Raises:
        StoreUnavailable: it could not be loaded. Left alone, it becomes a 503.
        RuntimeError: no `SessionMiddleware` is around the application, or the response has started
            and nobody looked before.
    """
    session = environ.get(_SESSION)
    if session is None:
        raise RuntimeError("no session here: put coatcheck's SessionMiddleware around the app")
    return look(session)


class SessionMiddleware:
    """Puts the session into `environ["coatcheck.session"]`.

    Args:
        app: the WSGI application inside.
        sessions: where sessions come from.
        options: see `coatcheck.web.GateOptions`.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    def __init__(
        self,
        app: App,
        *,
        sessions: BlockingSessions,
        **options: Unpack[GateOptions],
    ) -> None:
        if not isinstance(sessions, BlockingSessions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("sessions", f"WSGI needs BlockingSessions, not {sessions!r}")
        self._app = app
        self._gate = Gate(sessions.inner, **options, adapter=__name__)

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Serve one request."""
        exchange = enter(self._gate, environ)
        environ[_SESSION] = exchange.session
        response = _Response(exchange, start_response)
        if exchange.refused is not None:
            return response.fail(exchange.refused)
        try:
            body = self._app(environ, response.start)
        except Exception as error:
            return response.fail(error)
        except BaseException:  # a server that gives a request up, as gevent's Timeout does
            finish(exchange.leave())
            raise
        if response.replaced is not None:
            return _closing(body, response.replaced)
        if response.is_begun and _is_whole(body, environ):
            return response.complete(body)
        return _Body(response, body)


class _Response:
    """What the application said about its response, until the commit lets it go on.

    Attributes:
        is_begun: whether the application called `start_response`.
        has_started: whether the server was told.
        replaced: what is answered instead, where a commit failed as the application wrote.
    """

    def __init__(self, exchange: Exchange, start_response: Start) -> None:
        self.exchange = exchange
        self._start_response = start_response
        self._status, self._headers = "", list[tuple[str, str]]()
        self.is_begun = self.has_started = False
        self._write: Callable[[bytes], object] | None = None
        self.replaced: Iterable[bytes] | None = None
        self._watch: Watched | None = None

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Stand in for the server's `start_response`.

        Raises:
            AssertionError: it is called a second time, without an error that would explain it.
        """
        if self.is_begun and exc_info is None:
            raise AssertionError("start_response was called before: pass exc_info to start again")
        if self.has_started:  # the server raises what it is told of, as the client has headers
            departing = text(self.exchange.depart(raw(headers)))
            return self._start_response(status, departing, exc_info)
        self._status, self._headers = status, headers
        self.is_begun = True
        return self._write_now

    def commit(self) -> Iterable[bytes] | None:
        """Commit, and tell the server to start; return a body in place of the application's."""
        if not self.is_begun:
            raise AssertionError("the application did not call start_response")
        headers = raw(self._headers)  # what is wrong with them is known before the commit
        try:
            finish(self.exchange.commit(int(self._status[:3])))
        except Exception as error:
            if (answer := self.exchange.answer(error)) is None:
                raise
            return self._replace(answer)
        self.has_started = True
        departing = text(self.exchange.depart(headers))
        self._write = self._start_response(self._status, departing)
        return None

    def guard(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Let a stream stop when the session is over."""
        watch = self._watched()
        return chunks if watch is None else watched(chunks, watch)

    def _watched(self) -> Watched | None:
        if has_length(name for name, _ in self._headers):
            return None
        return self.exchange.watch()

    def complete(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Commit before a body that is there as a whole; return it, or what is sent instead."""
        try:
            replaced = None if self.has_started else self.commit()
        except Exception as error:
            _close(body)
            return self.fail(error)
        return body if replaced is None else _closing(body, replaced)

    def fail(self, error: Exception) -> Iterable[bytes]:
        """Answer an error of the session that left the application, or raise it again."""
        if self.replaced is not None:  # it was told so
            return self.replaced
        answer = None if self.has_started else finish(self.exchange.fail(error))
        if answer is None:
            raise error
        return self._replace(answer)

    def _replace(self, answer: Answer) -> Iterable[bytes]:
        self.has_started = True
        self._start_response(status_line(answer), text(answer.headers))
        return [answer.body]

    def _write_now(self, data: bytes) -> None:
        """Write as PEP 3333 lets old applications do."""
        if not self.has_started and data:  # an empty one starts nothing
            self.replaced = self.commit()
            self._watch = self._watched()
        if self.replaced is not None:
            raise OSError("the session could not be saved; an error was answered instead")
        if self._watch is not None and self._watch.is_due and not finish(self._watch.look()):
            raise OSError("the session is over, and what it had open is closed")
        if self._write is not None:
            self._write(data)


class _Body:
    """A body that the application makes while it is being sent; committed before its first byte."""

    def __init__(self, response: _Response, body: Iterable[bytes]) -> None:
        self._response, self._body = response, body
        self._chunks = self._run()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def _run(self) -> Iterator[bytes]:
        response = self._response
        try:
            chunks = iter(self._body)
            for chunk in chunks:
                if not response.has_started:
                    if not chunk:
                        continue
                    if (replaced := response.commit()) is not None:
                        yield from replaced
                        return
                yield chunk
                yield from response.guard(chunks)
                return
            if not response.has_started:
                yield from response.commit() or ()
        except Exception as error:
            yield from response.fail(error)

    def close(self) -> None:
        """Close the application's body, and let an `end()` hold whatever became of the response."""
        try:
            _close(self._body)
        finally:
            if self._response.has_started:
                self._response.exchange.report_unsaved()
            else:
                finish(self._response.exchange.leave())


def status_line(answer: Answer) -> str:
    """Return the status of an answer as `start_response` takes it."""
    return f"{answer.status} {responses[answer.status]}"


def _is_whole(body: Iterable[bytes], environ: Environ) -> bool:
    """Tell whether nothing of the application runs any more when the body is sent."""
    return isinstance(body, list | tuple) or is_file(body, environ)


def _closing(body: Iterable[bytes], replaced: Iterable[bytes]) -> Iterable[bytes]:
    _close(body)
    return replaced


def _close(body: Iterable[bytes]) -> None:
    if (close := getattr(body, "close", None)) is not None:
        close()
