"""Tokens in cookies: one name for signed-in sessions, one for visitors (C4).

The rules for reading and writing are those of RFC 6265 as draft-ietf-httpbis-rfc6265bis revises it.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Literal
from urllib.parse import quote

from coatcheck.core.outcome import Cookies, Holder
from coatcheck.core.policy import Policy
from coatcheck.core.presented import Presented
from coatcheck.core.standing import Standing
from coatcheck.core.token import LENGTH, Token
from coatcheck.errors import ConfigurationError
from coatcheck.web.transport import Headers

MAX_HEADER = 16_384
MAX_PAIRS = 256
LONGEST_LIFE = timedelta(days=400)
"""For which a browser keeps a cookie at most."""
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PATH = re.compile(r"/[\x21-\x3a\x3c-\x7e]*")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))+")
_log = logging.getLogger("coatcheck")
_PAST = "Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True, slots=True)
class CookieTransport:
    """The cookies' settings, refused where a browser would drop the cookie or widen it.

    Attributes:
        name: of the cookie of a signed-in session (ASVS 5.0 V3.3.1 and V3.3.3: with a prefix).
        anonymous_name: of the cookie before somebody signs in.
        path: `None` is `/`, or for a name without prefix the path the application is mounted at.
        domain: `None` is the host alone. Needs `coatcheck[domain]`, to refuse public suffixes.
        same_site: `Lax`, `Strict`, or `None` for use inside other sites' pages.
        max_age: `None` is a cookie that goes with the browser; else at most 400 days and at most
            the policy's absolute lifetime. The server's timeouts hold in any case.
        partitioned: a jar of its own in each embedding site (CHIPS).

    Raises:
        ConfigurationError: a setting is malformed, or the combination is impossible (5.7 of the
            draft).
    """

    name: str = "__Host-sid"
    anonymous_name: str = "__Host-anon"
    path: str | None = None
    domain: str | None = None
    secure: bool = True
    http_only: bool = True
    same_site: Literal["Lax", "Strict", "None"] = "Lax"
    max_age: timedelta | None = None
    partitioned: bool = False
    _holders: Mapping[bytes, Holder] = field(init=False, repr=False, compare=False)

    @property
    def vary(self) -> str:
        """Answers depend on the request's cookies."""
        return "Cookie"

    @property
    def is_ambient(self) -> bool:
        """That is what a cookie is."""
        return True

    def __post_init__(self) -> None:
        for setting in ("name", "anonymous_name"):
            self._check_name(setting, getattr(self, setting))
        if _without_prefix(self.name) == _without_prefix(self.anonymous_name):
            raise ConfigurationError(
                "anonymous_name", "is name, but for a prefix; they must differ"
            )
        if self.path is not None and not _PATH.fullmatch(self.path):
            raise ConfigurationError("path", f"{self.path!r} is no cookie path")
        if self.path is not None and len(self.path) > 1024:
            raise ConfigurationError("path", "is longer than 1024 bytes")
        if self.domain is not None:
            _check_domain(self.domain)
        if self.same_site not in ("Lax", "Strict", "None"):
            raise ConfigurationError("same_site", f"{self.same_site!r} is not Lax, Strict or None")
        if self.same_site == "None" and not self.secure:
            raise ConfigurationError("same_site", "None needs secure=True")
        if self.partitioned and not self.secure:
            raise ConfigurationError("partitioned", "needs secure=True")
        age = self.max_age
        if age is not None and not _is_age(age):
            raise ConfigurationError("max_age", f"{age} is no time of 1 second to 400 days")
        holders = {self._name_for(holder).encode(): holder for holder in Holder}
        object.__setattr__(self, "_holders", holders)

    def check(self, policy: Policy, /) -> None:
        """Refuse a cookie that outlives every session, or is weaker than the policy's profile."""
        if self.max_age is not None and self.max_age > policy.absolute:
            raise ConfigurationError("max_age", "is longer than Policy.absolute")
        for warning in policy.profile.check("Cookie", self) if policy.profile else ():
            _log.warning("cookie: %s", warning)

    @classmethod
    def of(cls, policy: Policy) -> "CookieTransport":
        """Return the cookies that a policy's profile asks for."""
        limits = policy.profile.of("Cookie") if policy.profile else ()
        return cls(**{limit.setting: limit.value for limit in limits})

    def for_development(self) -> "CookieTransport":
        """Return cookies without `Secure` for plain HTTP on this machine, named without prefix.

        `sid` and `anon`, unless they have names of their own.
        """
        return replace(
            self,
            name=_without_prefix(self.name),
            anonymous_name=_without_prefix(self.anonymous_name),
            domain=None,
            secure=False,
            same_site="Lax" if self.same_site == "None" else self.same_site,
            partitioned=False,
        )

    @property
    def challenge(self) -> bytes | None:
        """There is no authentication scheme for cookies."""
        return None

    def read(self, headers: Iterable[tuple[bytes, bytes]], /) -> Sequence[Presented]:
        """Find the session cookies, the signed-in one first; the other counts if that opens none.

        A `Cookie` header over 16 KiB or of more than 256 pairs is not read. Several headers are one
        (RFC 9113 8.2.3); pairs are split at `;` alone, quotes mean nothing; names are compared
        exactly. Different values for one name are ambiguous: the order tells nothing (8.6).
        """
        raw = b";".join([value for name, value in headers if name == b"cookie"])
        if not raw:
            return ()
        if len(raw) > MAX_HEADER or raw.count(b";") >= MAX_PAIRS:
            return (Presented(None, standing=Standing.UNREAD),)
        values: list[tuple[Holder, bytes]] = []
        for pair in raw.split(b";"):
            name, equals, value = pair.partition(b"=")
            if equals and (holder := self._holders.get(name.strip(b" \t"))):
                values.append((holder, value.strip(b" \t")))
        if len(values) == 1:
            return (_presented(*values[0]),)
        return [
            _presented(holder, *{value for of, value in values if of is holder})
            for holder in Holder
            if any(of is holder for of, _ in values)
        ]

    def write(self, cookies: Cookies, mount: str, kept_for: int | None = None, /) -> Headers:
        """Return one `Set-Cookie` for each cookie that changes."""
        headers: Headers = []
        if kept_for is None and self.max_age is not None:
            kept_for = int(self.max_age.total_seconds())
        for holder, token in cookies.items():
            name = self._name_for(holder)
            attributes = self._attributes(name, mount, kept_for if token else -1)
            line = f"{name}={token.reveal() if token else ''}; {attributes}"
            headers.append((b"set-cookie", line.encode("ascii")))
        return headers

    def _name_for(self, holder: Holder) -> str:
        return self.name if holder is Holder.SIGNED_IN else self.anonymous_name

    def _attributes(self, name: str, mount: str, kept_for: int | None) -> str:
        # The mount may hold what the client sent in the URL, decoded.
        path = self.path or ("/" if name.startswith("__Host-") else quote(mount) or "/")
        parts = [f"Path={path}"]
        if self.domain:
            parts.append(f"Domain={self.domain}")
        if kept_for is not None and kept_for < 0:
            parts += ["Max-Age=0", f"Expires={_PAST}"]
        elif kept_for:
            parts.append(f"Max-Age={kept_for}")
        if self.secure:
            parts.append("Secure")
        if self.http_only:
            parts.append("HttpOnly")
        parts.append(f"SameSite={self.same_site}")
        if self.partitioned:
            parts.append("Partitioned")
        return "; ".join(parts)

    def _check_name(self, setting: str, name: str) -> None:
        rest = _without_prefix(name) if _is_name(name) else ""
        if not rest or _prefix(rest) is not None:
            raise ConfigurationError(setting, f"{name!r} is no cookie name")
        if len(name) + LENGTH > 4096:
            raise ConfigurationError(setting, "leaves no room for a token in 4096 bytes")
        if (prefix := _prefix(name)) is None:
            return
        if not name.startswith(prefix):
            raise ConfigurationError(setting, f"write the prefix {prefix} as it is")
        if not self.secure:
            raise ConfigurationError("secure", f"{prefix} needs secure=True")
        if "Http-" in prefix and not self.http_only:
            raise ConfigurationError("http_only", f"{prefix} needs http_only=True")
        if "Host-" in prefix and self.domain is not None:
            raise ConfigurationError("domain", f"{prefix} allows no domain")
        if "Host-" in prefix and self.path not in (None, "/"):
            raise ConfigurationError("path", f"{prefix} needs the path /")


# The longer one first: `__Host-Http-` starts as `__Host-` does.
_PREFIXES = ("__Host-Http-", "__Http-", "__Host-", "__Secure-")


def _prefix(name: str) -> str | None:
    return next((p for p in _PREFIXES if name.lower().startswith(p.lower())), None)


def _without_prefix(name: str) -> str:
    return name[len(_prefix(name) or "") :]


def _presented(holder: Holder, value: bytes, *others: bytes) -> Presented:
    if others:
        return Presented(None, holder, Standing.AMBIGUOUS)
    return Presented(Token.parse(value.decode("latin-1")), holder)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _is_age(age: object) -> bool:
    return isinstance(age, timedelta) and timedelta(seconds=1) <= age <= LONGEST_LIFE


def _check_domain(domain: str) -> None:
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain) or domain[-1].isdigit():
        raise ConfigurationError("domain", f"{domain!r} is no domain name in lower case")
    try:
        ip_address(domain)
    except ValueError:
        pass
    else:
        raise ConfigurationError("domain", f"{domain!r} is an address")
    try:
        from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            "domain", "needs coatcheck[domain] installed, to tell public suffixes apart"
        ) from error
    if PublicSuffixList().is_public(domain):
        raise ConfigurationError("domain", f"{domain!r} is a public suffix, shared by strangers")
