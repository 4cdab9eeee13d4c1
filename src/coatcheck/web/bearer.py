"""Tokens in headers, for clients that are no browsers: `Authorization: Bearer` (RFC 6750 2.1)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from coatcheck.core.outcome import Cookies
from coatcheck.core.policy import Policy
from coatcheck.core.presented import Presented
from coatcheck.core.standing import Standing
from coatcheck.core.token import Token
from coatcheck.errors import ConfigurationError
from coatcheck.web.transport import Headers

_NAME = re.compile(r"[A-Za-z0-9-]+")
_TAKEN = {"set-cookie", "cookie", "vary", "cache-control", "content-type", "content-length",
          "transfer-encoding", "connection", "date", "location", "www-authenticate"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class BearerTransport:
    """Reads `Authorization: Bearer <token>`, hands new tokens over in a response header.

    Attributes:
        header: of the response; its value is empty when the client shall forget its token.
        secure: whether tokens may travel over TLS only.
    """

    header: str = "Session-Token"
    secure: bool = True

    def __post_init__(self) -> None:
        if not _is_name(self.header):
            raise ConfigurationError("header", f"{self.header!r} is no header name")
        if self.header.lower() in _TAKEN:
            raise ConfigurationError("header", f"{self.header} has a meaning of its own")

    @property
    def vary(self) -> str:
        """Answers depend on the request's authorization."""
        return "Authorization"

    @property
    def is_ambient(self) -> bool:
        """A header is sent by those who know what to put in."""
        return False

    def check(self, policy: Policy, /) -> None:
        """Nothing of a header depends on the policy."""

    def for_development(self) -> "BearerTransport":
        """Return the same for plain HTTP on this machine."""
        return replace(self, secure=False)

    @property
    def challenge(self) -> bytes | None:
        """Ask for a bearer token (RFC 6750 3)."""
        return b"Bearer"

    def read(self, headers: Iterable[tuple[bytes, bytes]], /) -> Sequence[Presented]:
        """Return the one bearer token; two headers are ambiguous, other schemes are not ours."""
        try:
            presented = bearer_in(headers)
        except ValueError:
            return (Presented(None, standing=Standing.AMBIGUOUS),)
        return () if presented is None else (Presented(Token.parse(presented)),)

    def write(self, cookies: Cookies, mount: str, kept_for: int | None = None, /) -> Headers:
        """Return one header: a client without a cookie jar has one token, so the new one wins."""
        if not cookies:
            return []
        token = next((token for token in cookies.values() if token), None)
        name = self.header.lower().encode("ascii")
        return [(name, token.reveal().encode("ascii") if token else b"")]


def bearer_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return what a request presents as `Authorization: Bearer`, if anything (RFC 6750 2.1).

    Args:
        headers: with lower-case names.

    Raises:
        ValueError: it has another authorization besides.
    """
    values = {value for name, value in headers if name == b"authorization"}
    bearers = [value for value in values if value[:7].lower() == b"bearer "]
    if bearers and len(values) > 1:
        raise ValueError("there are two authorizations")
    return bearers[0][7:].strip(b" ").decode("latin-1") if bearers else None


def _is_name(header: object) -> bool:
    return isinstance(header, str) and _NAME.fullmatch(header) is not None
