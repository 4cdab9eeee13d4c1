"""One request to an application in this process, over HTTPS as far as it can tell."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple, TextIO

_Message = MutableMapping[str, Any]
Asgi = Callable[..., Awaitable[None]]  # each framework has types of its own for the rest
Wsgi = Callable[..., Iterable[bytes]]


class Outcome(NamedTuple):
    """What an application did with a request.

    Attributes:
        starts: status and headers, each time that it started a response.
        raised: what it let through; most frameworks answer 500 and raise as well.
    """

    starts: list[tuple[int, list[tuple[str, str]]]]
    body: bytes
    raised: Exception | None


async def over_asgi(
    app: Asgi,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    host: str,
    peer: str,
    state: Mapping[str, Any] | None = None,
) -> Outcome:
    """Send a request by ASGI.

    Args:
        state: what the application's lifespan left for its requests.
    """
    path, _, query = path.partition("?")
    raw = [(b"host", host.encode()), (b"content-length", str(len(body)).encode())]
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
        "client": (peer, 50_000),
        "server": (host, 443),
        "state": dict(state or {}),
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
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
        await app(scope, receive, send)
    except Exception as error:
        raised = error
    starts = [
        (message["status"], [_decoded(*pair) for pair in message.get("headers", ())])
        for message in sent
        if message["type"] == "http.response.start"
    ]
    parts = [m.get("body", b"") for m in sent if m["type"] == "http.response.body"]
    return Outcome(starts, b"".join(parts), raised)


def _decoded(name: bytes, value: bytes) -> tuple[str, str]:
    return name.decode("latin-1"), value.decode("latin-1")


def over_wsgi(
    app: Wsgi,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    host: str,
    peer: str,
    log: TextIO,
) -> Outcome:
    """Send a request by WSGI; what PEP 3333 forbids raises an `AssertionError` in the application.

    Args:
        log: where the application may write errors.
    """
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": peer,
        "HTTP_HOST": host,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": log,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    starts: list[tuple[int, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        if starts and exc_info is None:
            raise AssertionError("a response starts once")
        starts[:] = [(int(status[:3]), headers)]
        return written.append

    raised: Exception | None = None
    try:
        chunks = app(environ, start)
        try:
            for chunk in chunks:
                if chunk and not starts:
                    raise AssertionError("a body comes after its headers")
                written.append(chunk)
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()
    except Exception as error:
        raised = error
    return Outcome(starts, b"".join(written), raised)
