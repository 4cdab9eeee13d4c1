"""How a request and a response look to WSGI (PEP 3333)."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from coatcheck.errors import ConfigurationError
from coatcheck.waiting import finish
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate
from coatcheck.web.transport import Headers

Environ = dict[str, Any]

_KEY = "coatcheck.exchange"


def enter(gate: Gate, environ: Environ) -> Exchange:
    """Open the session of a request; the same one for as long as its environ is that very dict.

    A copy of it is another request: test clients make one to send a request again.

    Raises:
        ConfigurationError: another adapter did so already.
    """
    owner, entered_before, of = environ.get(_KEY, (gate, None, None))
    if owner is not gate:
        require_alone(environ)
    if of == id(environ):
        return cast("Exchange", entered_before)
    exchange = finish(
        gate.enter(
            headers(environ),
            environ.get("REMOTE_ADDR") or None,
            environ["wsgi.url_scheme"],
            _decoded(environ.get("PATH_INFO", "")),
            _decoded(environ.get("SCRIPT_NAME", "")),
            query=environ.get("QUERY_STRING", ""),
        )
    )
    environ[_KEY] = gate, exchange, id(environ)
    return exchange


def require_alone(environ: Environ) -> None:
    """Refuse to open a session beside another adapter's.

    Raises:
        ConfigurationError: one opened it already.
    """
    if _KEY in environ:
        raise ConfigurationError(
            "application", "has two of coatcheck's adapters around it: leave one of them out"
        )


def entered(environ: Environ) -> Exchange | None:
    """Return the exchange of a request whose session was opened, whichever gate did so."""
    found = environ.get(_KEY)
    return None if found is None else cast("Exchange", found[1])


def text(lines: Headers) -> list[tuple[str, str]]:
    """Return headers as WSGI has them."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines]


def raw(lines: Iterable[tuple[str, str]]) -> Headers:
    """Return WSGI's headers as ASGI has them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]


def headers(environ: Environ) -> Headers:
    """Return a request's headers as ASGI has them."""
    return [
        (_name(key), value.encode("latin-1"))
        for key, value in environ.items()
        if key.startswith("HTTP_")
    ]


@lru_cache(maxsize=256)  # few names, many requests
def _name(key: str) -> bytes:
    return key[5:].replace("_", "-").lower().encode("latin-1")


def _decoded(path: str) -> str:
    return path.encode("latin-1").decode("utf-8", "replace")
