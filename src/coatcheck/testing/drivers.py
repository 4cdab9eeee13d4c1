"""Send raw requests to an application: any headers go in, the list of headers comes out.

One interface for threads, whatever the application waits on, so that tests of requests at the same
time are the same for all.
"""

import http.client
import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from coatcheck.testing.loop_thread import LoopThread
from coatcheck.testing.outcome import Asgi, Wsgi, over_asgi, over_wsgi

HOST = "shop.example.com"
PEER = "198.51.100.7"

Headers = dict[str, str]


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

    def __init__(self, app: Wsgi) -> None:
        self._app = app

    def send(self, method: str, path: str, headers: Headers | None = None) -> Reply:
        """See `Driver.send`."""
        asked = over_wsgi(
            self._app, method, path, headers or {}, host=HOST, peer=PEER, log=io.StringIO()
        )
        if asked.raised is not None:
            return Reply(500, [], b"", asked.raised)
        if not asked.starts:
            error = AssertionError("the application did not start a response")
            return Reply(500, [], b"", error)
        return Reply(*asked.starts[0], asked.body)

    def close(self) -> None:
        """See `Driver.close`: nothing runs between requests."""


class AsgiDriver:
    """Drives an ASGI application in an event loop of its own thread."""

    def __init__(self, app: Asgi) -> None:
        self._app, self._thread = app, LoopThread()

    def send(self, method: str, path: str, headers: Headers | None = None) -> Reply:
        """See `Driver.send`."""
        asking = over_asgi(self._app, method, path, headers or {}, host=HOST, peer=PEER)
        asked = self._thread.run(asking, 30)
        if not asked.starts:
            return Reply(500, [], b"", asked.raised)
        if len(asked.starts) > 1:
            raise AssertionError("a response starts once")
        return Reply(*asked.starts[0], asked.body, asked.raised)

    def close(self) -> None:
        """See `Driver.close`."""
        self._thread.close()


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
