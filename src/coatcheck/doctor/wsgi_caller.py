"""Call a WSGI application in this process, over HTTPS as far as it can tell."""

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coatcheck.doctor.answer import MAX_BODY, Answer
from coatcheck.doctor.failure import CannotRun

Wsgi = Callable[..., Iterable[bytes]]


class WsgiCaller:
    """A client of an application object.

    Args:
        host: as which it is asked.
    """

    def __init__(self, app: Wsgi, host: str) -> None:
        self._app, self._host = app, host
        self.origin = f"https://{host}"

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """See `Caller.send`."""
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": self._host,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": self._host,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            started[:] = [(status, headers)]
            return written.append

        try:
            chunks = self._app(environ, start)
            try:
                written.extend(chunks)
            finally:
                getattr(chunks, "close", _nothing)()
        except Exception as error:
            raise CannotRun(
                f"the application raised {type(error).__name__}", f"{method} {path}", "see its log"
            ) from None
        if not started:
            raise CannotRun(
                "the application started no response", f"{method} {path}", "see its log"
            )
        status, said = started[0]
        lowered = [(name.lower(), value) for name, value in said]
        return Answer(f"{method} {path}", int(status[:3]), lowered, b"".join(written)[:MAX_BODY])

    def close(self) -> None:
        """See `Caller.close`: nothing runs between requests."""


def _nothing() -> None:
    pass
