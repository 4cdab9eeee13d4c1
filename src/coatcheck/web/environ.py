"""How a request and a response look to WSGI (PEP 3333)."""

import io
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from coatcheck.waiting import finish
from coatcheck.web.csrf import is_form, is_handshake
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate
from coatcheck.web.transport import Headers
from coatcheck.web.twice import serving, two

Environ = dict[str, Any]

_OURS = "coatcheck."
_KEY = f"{_OURS}exchange"


def enter(gate: Gate, environ: Environ) -> Exchange:
    """Open the session of a request; the same one for as long as its environ is that very dict.

    A copy of it is another request: test clients make one to send a request again.

    Raises:
        ConfigurationError: another adapter did so already.
    """
    exchange: Exchange
    owner, exchange, of = environ.get(_KEY, (None, None, None))
    if owner is not gate:
        require_alone(environ, gate.adapter)
    if of == id(environ):
        return exchange
    exchange = finish(
        gate.enter(
            headers(environ),
            environ.get("REMOTE_ADDR") or None,
            environ["wsgi.url_scheme"],
            _decoded(environ.get("PATH_INFO", "")),
            _decoded(environ.get("SCRIPT_NAME", "")),
            method=method(environ),
            peek=partial(_peek, environ) if gate.searches_forms else None,
            query=environ.get("QUERY_STRING", ""),
        )
    )
    environ[_KEY] = gate, exchange, id(environ)
    return exchange


def anew(gate: Gate, environ: Environ) -> Environ:
    """Return the environ for one more request that a server makes of one: for a socket's event.

    That is a copy in which the session is as it is stored by now; the same, where none is stored.
    """
    owner, exchange, of = environ.get(_KEY, (None, None, None))
    if owner is not gate or of != id(environ) or exchange.session.state.base is None:
        return environ
    copied = {key: value for key, value in environ.items() if not key.startswith(_OURS)}
    copied[_KEY] = gate, finish(gate.again(exchange)), id(copied)
    return copied


def require_alone(environ: Environ, adapter: str) -> None:
    """Refuse to open a session beside another adapter's, in the environ or in ASGI around it.

    Raises:
        ConfigurationError: one opened it already.
    """
    if (found := environ.get(_KEY)) is not None:
        raise two(found[0].adapter, adapter)
    around = serving.get()
    if around is not None and _common(around[1]) <= _common(headers(environ)):
        raise two(around[0], adapter)


def entered(environ: Environ) -> Exchange | None:
    """Return the exchange of a request whose session was opened, whichever gate did so."""
    exchange: Exchange | None = environ.get(_KEY, (None, None))[1]
    return exchange


def method(environ: Mapping[str, Any]) -> str | None:
    """Return a request's method, `None` for the handshake of a WebSocket."""
    said: str = environ.get("REQUEST_METHOD", "")
    return None if "HTTP_UPGRADE" in environ and is_handshake(environ["HTTP_UPGRADE"]) else said


def is_file(body: object, environ: Mapping[str, Any]) -> bool:
    """Tell whether a body is a file that the server sends by itself, if it sees it as it is."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(body, wrapper)


async def _peek(environ: Environ, size: int) -> bytes:
    """Return the beginning of a form, and put it back."""
    if not is_form(environ.get("CONTENT_TYPE", "").encode("latin-1")):
        return b""
    length = environ.get("CONTENT_LENGTH") or ""
    left = int(length) if length.isdecimal() else None
    if left is None and not environ.get("wsgi.input_terminated"):
        return b""  # nobody can tell where it ends
    body = io.BufferedReader(_Body(environ["wsgi.input"], left), size)
    environ["wsgi.input"] = body
    try:
        return body.peek()[:size]
    except OSError:  # the client is gone, or silent for too long: nothing was proved
        return b""


class _Body(io.RawIOBase):
    """A request's body, which ends where it says."""

    def __init__(self, body: Any, left: int | None) -> None:
        self._body, self._left = body, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer) if self._left is None else min(len(buffer), self._left)
        read = self._body.read(size) if size else b""
        buffer[: len(read)] = read
        if self._left is not None:
            self._left -= len(read)
        return len(read)


def headers(environ: Environ) -> Headers:
    """Return a request's headers as ASGI has them; one that is `None`, as in tests, is none."""
    # Most keys are no header's, and `in` tells that in a third of the time of a call.
    return [
        (_name(key), value.encode("latin-1"))
        for key, value in environ.items()
        if "HTTP_" in key and key.startswith("HTTP_") and value is not None
    ]


def _common(lines: Headers) -> set[tuple[bytes, bytes]]:
    """Return by what a request is known again that went from ASGI to WSGI.

    Lines of one name are joined on the way, what is about the body has names of its own. A request
    that an application sends to another one meanwhile differs.
    """
    names = [name.replace(b"_", b"-") for name, _ in lines]
    return {
        (name, value)
        for name, (_, value) in zip(names, lines, strict=True)
        if names.count(name) == 1 and not name.startswith(b"content-")
    }


@lru_cache(maxsize=256)  # few names, many requests
def _name(key: str) -> bytes:
    return key[5:].replace("_", "-").lower().encode("latin-1")


def _decoded(path: str) -> str:
    return path.encode("latin-1").decode("utf-8", "replace")
