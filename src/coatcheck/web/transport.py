"""What every way of carrying a token does: read it from a request, write it to a response."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from coatcheck.core.outcome import Cookies
from coatcheck.core.policy import Policy
from coatcheck.core.presented import Presented

Headers = list[tuple[bytes, bytes]]
"""Lower-case names and values, as ASGI has them."""


def text(lines: Headers) -> list[tuple[str, str]]:
    """Return headers as frameworks have them, in Latin-1 (PEP 3333)."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in lines]


def raw(lines: Iterable[tuple[str, str]]) -> Headers:
    """Return a framework's headers as ASGI has them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines]


def joined(lines: Headers) -> dict[bytes, bytes]:
    """Return a request's headers by name; lines of one name are one list (RFC 9110 5.3)."""
    said = dict(lines)
    if len(said) == len(lines):
        return said
    values: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        values.setdefault(name, []).append(value)
    return {name: b",".join(several) for name, several in values.items()}


class Transport(Protocol):
    """Carries tokens between a client and the application."""

    @property
    def vary(self) -> str:
        """The request header that answers depend on."""
        ...

    @property
    def is_ambient(self) -> bool:
        """Whether a browser sends tokens along by itself, whichever page makes it ask."""
        ...

    @property
    def secure(self) -> bool:
        """Whether tokens may travel only over connections that nobody on the way can read."""
        ...

    def check(self, policy: Policy, /) -> None:
        """Compare the transport's settings with the policy's.

        Raises:
            ConfigurationError: they do not go together.
        """
        ...

    def for_development(self) -> "Transport":
        """Return the same transport for plain HTTP on the developer's own machine."""
        ...

    @property
    def challenge(self) -> bytes | None:
        """The `WWW-Authenticate` of a 401 (RFC 9110 15.5.2), where there is a scheme for it."""
        ...

    def read(self, headers: Iterable[tuple[bytes, bytes]], /) -> Sequence[Presented]:
        """Return what a request presents, what counts first first. Never raises."""
        ...

    def write(self, cookies: Cookies, mount: str, kept_for: int | None = None, /) -> Headers:
        """Return the response headers that tell the client what to keep and what to delete.

        Args:
            mount: the path the application is mounted at, without a slash at the end.
            kept_for: seconds that the client keeps it, 0 until it is closed; by default what the
                transport's own settings say.
        """
        ...
