"""Who made a request: a page of the application, or one that a browser shows beside it (CSRF).

Decided from headers that a page cannot set, as the OWASP cheat sheet on cross-site request forgery
has it: `Sec-Fetch-Site`, else `Origin`, else `Referer`. They cost the application's pages nothing;
where none of the three came, a token in the form or a header may stand in.
"""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from coatcheck.errors import ConfigurationError
from coatcheck.web import origin
from coatcheck.web.transport import Headers

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
"""The methods that change nothing (RFC 9110 9.2.1); every other one does, a made-up one too."""

HEADER = b"x-csrf-token"
FIELD = "csrf_token"
LONGEST_SEARCH = 65_536
"""Bytes of a form that are searched for the field."""

Peek = Callable[[int], Awaitable[bytes]]
"""Returns the first bytes of a form, so many at most, and leaves them for the application."""

_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data")
_IN_URLENCODED = re.compile(rb"(?:\A|&)csrf_token=([^&]*)")
_IN_MULTIPART = re.compile(
    rb'[; ]name="csrf_token"\r\n(?:[^\r\n]+\r\n){0,3}\r\n([^\r\n]*)\r\n--', re.IGNORECASE
)
_THIS_MACHINE = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_WANTED = frozenset((b"sec-fetch-site", b"origin", b"referer", b"host"))


class Objection(NamedTuple):
    """Why a request may not be let in.

    Attributes:
        reason: the header that says it is somebody else's, or that nothing says it is not.
        origin: of the page that made it, where it is known.
        own: the application's, as the request has it.
        is_final: whether no token helps.
    """

    reason: str
    origin: str | None
    own: str | None
    is_final: bool = True

    def facts(self) -> dict[str, str]:
        """Return what an event may tell of it, none of it text that a client chose freely."""
        known = {"reason": self.reason, "origin": self.origin, "own": self.own}
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class CSRF:
    """The check of requests that change something, and of WebSockets' handshakes.

    Refused with 403 is what a page of another origin makes a browser send (ASVS 5.0 V3.5.1), signed
    in or not, as a forged login is forgery too. What carries none of the three headers was not sent
    by a browser of these years, and passes, unless `strict`.

    Attributes:
        origins: others whose pages may send requests, such as `https://admin.example.com`; compared
            whole.
        exempt: paths that are not checked, such as those of webhooks, below where the application
            is mounted and compared whole; they have to know their callers by other means.
        strict: refuse what carries none of the headers, but for a token of `Session.csrf_token` in
            the header `X-CSRF-Token` or the field `csrf_token` of a form.
        off: why nothing is checked; by default everything is.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    origins: Collection[str] = ()
    exempt: Collection[str] = ()
    strict: bool = False
    off: str | None = None
    _trusted: frozenset[str] = field(init=False, repr=False, compare=False)
    _exempt: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("origins", "exempt"):
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(name, f"write a list: [{getattr(self, name)!r}]")
        if not all(path.startswith("/") for path in self.exempt):
            raise ConfigurationError("exempt", f"{self.exempt!r} is no list of paths from / on")
        if self.off is not None and not self.off.strip():
            raise ConfigurationError("off", "say why nothing is to be checked")
        object.__setattr__(self, "_trusted", frozenset(map(_trustworthy, self.origins)))
        object.__setattr__(self, "_exempt", frozenset(self.exempt))

    def objection(
        self, method: str | None, path: str, headers: Headers, *, secure: bool
    ) -> Objection | None:
        """Say what speaks against a request, `None` for nothing.

        Args:
            method: `None` is a WebSocket's handshake, for which a browser always sends `Origin`
                (RFC 6455 4.1).
            headers: with names in lower case. What comes twice fits nothing, so it refuses.
            secure: whether the request came over TLS.
        """
        if method in SAFE or self.off is not None or path in self._exempt:
            return None
        said = _said(headers)
        site = said.get(b"sec-fetch-site", b"")
        if site in _HERE and method is not None:
            return None
        own = origin.of_host(said.get(b"host", b""), secure=secure)
        page, source = _page(said)
        is_trusted = page in self._trusted
        if method is not None or source is None:
            is_elsewhere = site in _ELSEWHERE and not (is_trusted and source == "origin")
            if is_elsewhere or b"," in site:
                return Objection("sec-fetch-site", page, own)
            if site in _HERE:
                return None
        if source is None:
            return Objection("nothing", None, own, is_final=False) if self.strict else None
        if is_trusted or (page is not None and page == own):
            return None
        return Objection(source, page, own)


_HERE = (b"same-origin", b"none")
_ELSEWHERE = (b"same-site", b"cross-site")


def _said(headers: Headers) -> dict[bytes, bytes]:
    """Return the headers that count; what came twice is joined, so that it fits nothing."""
    said: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _WANTED:
            said[name] = said[name] + b"," + value if name in said else value.strip()
    return said


def _page(said: dict[bytes, bytes]) -> tuple[str | None, str | None]:
    """Return the origin of the page that made a request, if it can be read, and what names it."""
    if sent := said.get(b"origin"):
        return origin.parse(sent), "origin"
    if sent := said.get(b"referer"):
        return origin.of_url(sent), "referer"
    return None, None


def is_handshake(upgrade: str | None) -> bool:
    """Tell whether a request with this `Upgrade` asks for a WebSocket (RFC 6455 4.2.1)."""
    return upgrade is not None and upgrade.strip().lower() == "websocket"


def is_form(content_type: bytes) -> bool:
    """Tell whether a body of this type may hold a field."""
    return content_type.partition(b";")[0].strip().lower() in _FORMS


async def token_in(headers: Headers, peek: Peek | None) -> str | None:
    """Return the token that a request brings along, `None` for none or several."""
    found = [value for name, value in headers if name == HEADER]
    if not found and peek is not None:
        begun = await peek(LONGEST_SEARCH)
        found = _IN_URLENCODED.findall(begun) + _IN_MULTIPART.findall(begun)
    return found[0].decode("latin-1") if len(found) == 1 else None


def _trustworthy(text: str) -> str:
    """Return an origin in the spelling of browsers.

    Raises:
        ConfigurationError: it is none, or one whose pages anybody on the way could have written.
    """
    if not text.isascii():
        raise ConfigurationError("origins", f"{text!r}: write a host in ASCII, as in xn--...")
    found = origin.parse(text.encode())
    if found is None:
        raise ConfigurationError("origins", f"{text!r} is no origin like https://a.example.com")
    if not found.startswith("https:") and not _THIS_MACHINE.fullmatch(found):
        raise ConfigurationError("origins", f"{text!r} is to be https, but for this machine")
    return found
