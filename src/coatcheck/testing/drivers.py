"""Send raw requests to an application: any headers go in, the list of headers comes out.

One interface for threads, whatever the application waits on, so that tests of requests at the same
time are the same for all.
"""

import asyncio
import http.client
import io
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple, Protocol

HOST = "shop.example.com"
PEER = "198.51.100.7"

Headers = dict[str, str]
_Message = MutableMapping[str, Any]
_Asgi = Callable[..., Awaitable[None]]  # each framework has types of its own for the rest
_Wsgi = Callable[..., Iterable[bytes]]


class Reply(NamedTuple):
    """What came back; an error that the application let through is a 500.

    Attributes:
        error: that error.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    error: Exception | None = None

    def all(self, name: str) -> list[str]:
        """Return the values of a header, in any spelling."""
        return [value for header, value in self.headers if header.lower() == name.lower()]

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)


class Driver(Protocol):
    """Sends requests over HTTPS, as far as the application can tell. Threads may share it."""

    def send(self, method: str, path: str, headers: Headers | None = None) -> Reply:
        """Send a request, and wait for all of the response."""
        ...

    def close(self) -> None:
        """Stop the application."""
        ...


class WsgiDriver:
    """Drives a WSGI application in the caller's thread."""

    def __init__(self, app: _Wsgi) -> None:
        self._app = app

    def send(self, method: str, path: str, headers: Headers | None = None) -> Reply:
        """See `Driver.send`."""
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": HOST,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": PEER,
            "HTTP_HOST": HOST,
            "CONTENT_LENGTH": "0",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in (headers or {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if started and exc_info is None:
                raise AssertionError("a response starts once")
            started[:] = [(status, headers)]
            return written.append

        written: list[bytes] = []
        try:
            body = self._app(environ, start)
            try:
                for chunk in body:
                    if chunk and not started:
                        raise AssertionError("a body comes after its headers")
                    written.append(chunk)
            finally:
                if (close := getattr(body, "close", None)) is not None:
                    close()
            if not started:
                raise AssertionError("the application did not start a response")
        except Exception as error:
            return Reply(500, [], b"", error)
        status, sent = started[0]
        return Reply(int(status[:3]), sent, b"".join(written))

    def close(self) -> None:
        """See `Driver.close`: nothing runs between requests."""


class AsgiDriver:
    """Drives an ASGI application in an event loop of its own thread."""

    def __init__(self, app: _Asgi) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def send(self, method: str, path: str, headers: Headers | None = None) -> Reply:
        """See `Driver.send`."""
        sending = self._send(method, path, headers or {})
        return asyncio.run_coroutine_threadsafe(sending, self._loop).result(30)

    def close(self) -> None:
        """See `Driver.close`."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _send(self, method: str, path: str, headers: Headers) -> Reply:
        path, _, query = path.partition("?")
        raw = [(b"host", HOST.encode())]
        raw += [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope: _Message = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": (PEER, 50_000),
            "server": (HOST, 443),
            "state": {},
        }
        incoming = [{"type": "http.request", "body": b"", "more_body": False}]
        answered = asyncio.Event()
        sent: list[_Message] = []

        async def receive() -> _Message:
            if incoming:
                return incoming.pop()
            await answered.wait()  # the client does not hang up before
            return {"type": "http.disconnect"}

        async def send(message: _Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        raised: Exception | None = None
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # most frameworks answer 500 and raise as well
            raised = error
        starts = [message for message in sent if message["type"] == "http.response.start"]
        if not starts:
            return Reply(500, [], b"", raised)
        if len(starts) > 1:
            raise AssertionError("a response starts once")
        body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        said = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in starts[0]["headers"]]
        return Reply(starts[0]["status"], said, body, raised)


class HttpDriver:
    """Drives a server on this machine that takes us for its proxy, which has done the TLS.

    Args:
        stop: stops it.
    """

    def __init__(self, port: int, stop: Callable[[], object]) -> None:
        self._port, self._stop = port, stop

    def send(self, method: str, path: str, headers: Headers | None = None) -> Reply:
        """See `Driver.send`."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        proxied = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": PEER}
        try:
            connection.request(method, path, headers={**proxied, **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def close(self) -> None:
        """See `Driver.close`."""
        self._stop()
