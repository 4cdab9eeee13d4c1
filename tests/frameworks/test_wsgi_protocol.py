"""What PEP 3333 asks of whoever stands between a server and an application."""

import io
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from coatcheck import BlockingSessions, Sessions
from coatcheck.core.events import Event, Happened
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.errors import ConfigurationError, StoreUnavailable, Unauthenticated
from coatcheck.stores.memory import MemoryStore
from coatcheck.web.wsgi import SessionMiddleware, session_of

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
TEXT = [("Content-Type", "text/plain")]


class Store(MemoryStore):
    is_read_only = False

    async def save(self, record: Record, base: Record | None, /) -> None:
        if self.is_read_only:
            raise StoreUnavailable("away")
        await super().save(record, base)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        if self.is_read_only:
            raise StoreUnavailable("away")
        return await super().end(tombstone, base)


class Server:
    """Wsgiref's own handler, with a validator on either side of the middleware."""

    def __init__(self, app: App, *, validate: bool = True) -> None:
        self.store, self.events = Store(), list[Event]()
        self.sessions = BlockingSessions(self.store, on_event=self.events.append)
        inside: Any = validator(app) if validate else app
        middleware = SessionMiddleware(inside, sessions=self.sessions)
        self.app: Any = validator(middleware) if validate else middleware
        self.errors = io.StringIO()
        self.cookie = ""

    def get(self, method: str = "GET") -> tuple[str, dict[str, str], bytes]:
        out = io.BytesIO()
        handler = SimpleHandler(io.BytesIO(), out, self.errors, self.environ(method))
        handler.run(self.app)
        head, _, body = out.getvalue().partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        if "set-cookie" in headers:
            self.cookie = headers["set-cookie"].partition(";")[0]
        return status.partition(" ")[2], headers, body

    def environ(self, method: str = "GET") -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "shop.example.com",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTPS": "on",
            "REMOTE_ADDR": "198.51.100.7",
        }
        return {**environ, "HTTP_COOKIE": self.cookie} if self.cookie else environ

    def sign_in(self) -> None:
        """Have a cookie of alice."""
        session = self.sessions.open(None)
        session.sign_in("alice")
        token = self.sessions.commit(session).token
        assert token is not None
        self.cookie = f"__Host-sid={token.reveal()}"

    @property
    def kinds(self) -> list[Happened]:
        return [event.kind for event in self.events]

    @property
    def subjects(self) -> list[str | None]:
        return [info.subject for info in self.sessions.page()[0]]


class Body:
    """Counts what is asked of it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks, self.closed = iter(chunks), 0

    def __iter__(self) -> "Body":
        return self

    def __next__(self) -> bytes:
        return next(self.chunks)

    def close(self) -> None:
        self.closed += 1


def _start(_: str, __: list[tuple[str, str]], ___: Any = None) -> Callable[[bytes], object]:
    return len


@pytest.mark.parametrize("chunks", [[b"one ", b"two"], [b"", b"one ", b"", b"two"]])
@pytest.mark.parametrize("kind", ["list", "generator", "closing", "function", "write"])
def test_every_kind_of_body(kind: str, chunks: list[bytes]) -> None:
    """Fails for `write` when the session is committed, and the response started, a second time."""
    bodies: list[Body] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        write = start_response("200 OK", TEXT)
        if kind == "write":
            for chunk in chunks:
                write(chunk)
            return []
        bodies.append(Body(chunks))
        return {"list": chunks, "generator": (c for c in chunks)}.get(kind, bodies[-1])

    def later(environ: dict[str, Any], start_response: Any) -> Generator[bytes]:
        session_of(environ)["a"] = 1
        start_response("200 OK", TEXT)
        yield from chunks

    # The validator wants start_response called before the application returns its iterator.
    server = Server(later, validate=False) if kind == "function" else Server(app)
    status, headers, body = server.get()
    assert (status, body) == ("200 OK", b"one two")
    assert headers["set-cookie"].startswith("__Host-anon=")
    assert server.subjects == [None]
    assert "Traceback" not in server.errors.getvalue()
    if kind == "closing":
        assert [body.closed for body in bodies] == [1]


@pytest.mark.parametrize("kind", ["generator", "write"])
def test_an_empty_chunk_starts_nothing(kind: str) -> None:
    """PEP 3333: headers go with the first byte, so what is done before it is saved."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session = session_of(environ)
        write = start_response("200 OK", TEXT)
        if kind == "write":
            write(b"")
            session["a"] = 1
            return [b"one"]

        def chunks() -> Generator[bytes]:
            yield b""
            session["a"] = 1
            yield b"one"

        return chunks()

    server = Server(app)
    assert server.get()[2] == b"one"
    assert server.subjects == [None]
    assert Happened.UNSAVED not in server.kinds


@pytest.mark.parametrize("body", [[], [b""], (), iter([]), iter([b""])])
def test_an_empty_body_and_head(body: Iterable[bytes]) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        start_response("200 OK", TEXT)
        return body

    server = Server(app, validate=False)
    status, headers, sent = server.get("HEAD")
    assert (status, sent, "set-cookie" in headers) == ("200 OK", b"", True)


def test_an_error_before_the_response_is_the_servers() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        raise ZeroDivisionError

    server = Server(app)
    status, _, _ = server.get()
    assert status.startswith("500")
    assert "ZeroDivisionError" in server.errors.getvalue()
    assert server.subjects == []


def test_an_error_of_the_session_is_answered_wherever_it_leaves_the_application() -> None:
    def early(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ).require_subject()
        return []

    def begun(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        session_of(environ).require_subject()
        return []

    def in_the_body(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        session = session_of(environ)

        def chunks() -> Generator[bytes]:
            session.require_subject()
            yield b"never"

        return chunks()

    for app in (early, begun, in_the_body):
        status, headers, body = Server(app).get()
        assert (status, headers["vary"]) == ("401 Unauthorized", "Cookie")
        assert body == b'{"error": "please log in first"}'


@pytest.mark.parametrize("kind", ["list", "generator", "write", "stubborn", "file"])
def test_a_commit_that_fails_is_answered_in_place_of_the_response(kind: str) -> None:
    bodies: list[Body] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        write = start_response("200 OK", TEXT)
        if kind in ("write", "stubborn"):
            with suppress(*([OSError] if kind == "stubborn" else [])):
                write(b"one")
        bodies.append(Body([b"one"]))
        if kind == "file":
            return FileWrapper(io.BytesIO(b"one"))
        return [b"one"] if kind == "list" else bodies[-1]

    server = Server(app, validate=kind != "file")
    server.store.is_read_only = True
    status, headers, body = server.get()
    assert (status, headers["retry-after"]) == ("503 Service Unavailable", "2")
    assert body == b'{"error": "sessions are unavailable for the moment, please try again"}'
    if kind in ("generator", "stubborn"):
        assert [body.closed for body in bodies] == [1]


def test_a_commit_that_cannot_be_answered_closes_the_body() -> None:
    closed: list[bool] = []

    class File(io.BytesIO):
        def close(self) -> None:
            closed.append(True)
            super().close()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["coatcheck.session"]["a"] = object()
        start_response("200 OK", TEXT)
        return FileWrapper(File(b"one"))

    server = Server(app, validate=False)
    environ = {**server.environ(), "wsgi.url_scheme": "https", "wsgi.file_wrapper": FileWrapper}
    with pytest.raises(TypeError, match="session key 'a'"):
        server.app(environ, _start)
    assert closed == [True]


def test_a_response_may_start_again_with_an_error() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        start_response("200 OK", TEXT)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Sorry", TEXT, sys.exc_info())
        return [b"sorry"]

    server = Server(app)
    status, _, body = server.get()
    assert (status, body) == ("500 Sorry", b"sorry")
    assert server.subjects == [], "the request failed"


def test_a_response_that_has_started_cannot_start_again() -> None:
    """The server raises what it is told of; a server that takes it is told the cookies again."""
    told: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        write = start_response("200 OK", TEXT)
        write(b"one")
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            start_response("500 Sorry", TEXT, sys.exc_info())
        return []

    server = Server(app)
    assert server.get()[0] == "200 OK"
    assert "ZeroDivisionError" in server.errors.getvalue()

    def lenient(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        told.append((status, dict(headers)))
        return len

    server = Server(app, validate=False)
    list(server.app({**server.environ(), "wsgi.url_scheme": "https"}, lenient))
    assert [status for status, _ in told] == ["200 OK", "500 Sorry"]
    assert told[0][1]["set-cookie"] == told[1][1]["set-cookie"]


def test_a_response_starts_once() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        start_response("200 OK", TEXT)
        return []

    def never(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return [b"one"]

    for wrong, message in ((app, "pass exc_info"), (never, "did not call start_response")):
        server = Server(wrong, validate=False)
        assert server.get()[0].startswith("500")
        assert message in server.errors.getvalue()


def test_a_file_is_left_to_the_server() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        start_response("200 OK", TEXT)
        return FileWrapper(io.BytesIO(b"file"))

    server = Server(app, validate=False)
    environ = {**server.environ(), "wsgi.url_scheme": "https", "wsgi.file_wrapper": FileWrapper}
    assert isinstance(server.app(environ, _start), FileWrapper)
    assert server.get()[2] == b"file"


def test_a_client_that_goes_away_closes_the_applications_generator() -> None:
    """What it does on its way out is reported; fails when only the garbage collector closes it."""
    left: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Generator[bytes]:
        session = session_of(environ)
        start_response("200 OK", TEXT)
        try:
            while True:
                yield b"more"
        except GeneratorExit:
            session["late"] = True
            left.append("left")
            raise

    server = Server(app, validate=False)
    body = server.app({**server.environ(), "wsgi.url_scheme": "https"}, _start)
    assert next(iter(body)) == b"more"
    body.close()
    assert left == ["left"]
    assert server.kinds.count(Happened.UNSAVED) == 1
    assert next(iter(body), None) is None


@pytest.mark.parametrize("how", ["raise", "give up", "never asked"])
def test_an_end_holds_though_there_is_no_response(how: str) -> None:
    """Fails when nothing is committed as an error of the server's own goes past, as a timeout."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ).end()
        if how == "raise":
            raise ZeroDivisionError
        if how == "give up":
            raise KeyboardInterrupt
        start_response("200 OK", TEXT)
        return iter([b"one"])

    server = Server(app, validate=False)
    server.sign_in()
    with suppress(ZeroDivisionError, KeyboardInterrupt):
        body = server.app({**server.environ(), "wsgi.url_scheme": "https"}, _start)
        body.close()
    assert server.subjects == []


def test_headers_that_cannot_be_sent_are_known_before_the_commit() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        session_of(environ)["a"] = 1
        start_response("200 OK", [("X-Name", "\u4f60")])
        return [b"one"]

    server = Server(app, validate=False)
    assert server.get()[0].startswith("500")
    assert server.subjects == []


def test_misuse_is_told_what_to_do() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return []

    sessions = BlockingSessions(MemoryStore())
    with pytest.raises(RuntimeError, match="put coatcheck's SessionMiddleware around the app"):
        session_of({})
    wrong: Any = Sessions(MemoryStore())
    with pytest.raises(ConfigurationError, match="sessions: WSGI needs BlockingSessions"):
        SessionMiddleware(app, sessions=wrong)
    inner = SessionMiddleware(app, sessions=sessions)
    outer = SessionMiddleware(inner, sessions=sessions)
    with pytest.raises(ConfigurationError, match="leave the inner one out"):
        outer({"wsgi.url_scheme": "https"}, _start)


def test_a_first_look_after_the_response_started_is_refused() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Generator[bytes]:
        start_response("200 OK", TEXT)
        yield b"one"
        session_of(environ)

    server = Server(app, validate=False)
    server.get()
    assert "looked at for the first time after the response" in server.errors.getvalue()
    assert Unauthenticated.__doc__
