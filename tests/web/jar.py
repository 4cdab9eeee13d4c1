"""A browser's cookies, kept by the rules of draft-ietf-httpbis-rfc6265bis, prefixes included.

What a browser drops without a word is noted in `refused`.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from publicsuffixlist import PublicSuffixList

from coatcheck.testing import Clock

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_AGE = re.compile(r"-?[0-9]+")
_LONGEST = timedelta(days=400)


@dataclass
class Cookie:
    """One cookie as 5.7 of the draft stores it."""

    name: str
    value: str
    domain: str
    path: str
    host_only: bool
    secure: bool
    partitioned: bool
    expires: datetime | None

    @property
    def key(self) -> tuple[str, str, bool, str, bool]:
        return self.name, self.domain, self.host_only, self.path, self.partitioned


@dataclass
class Jar:
    """Stores what `Set-Cookie` says, and tells what to send back."""

    clock: Clock = field(default_factory=Clock)
    cookies: dict[tuple[str, str, bool, str, bool], Cookie] = field(
        default_factory=dict[tuple[str, str, bool, str, bool], Cookie]
    )
    refused: list[str] = field(default_factory=list[str])

    def store(self, line: str, *, host: str, path: str = "/", secure: bool = True) -> None:
        """Receive one `Set-Cookie` header for a request to `host` and `path`."""
        try:
            cookie = self._parse(line, host, path, secure)
        except ValueError as problem:
            self.refused.append(f"{problem}: {line}")
            return
        self.cookies.pop(cookie.key, None)
        if cookie.expires is None or cookie.expires > self._now():
            self.cookies[cookie.key] = cookie

    def header(self, *, host: str, path: str = "/", secure: bool = True) -> str:
        """Return the `Cookie` header of a request, empty for none; the longest path first."""
        fitting = [
            cookie
            for cookie in self.cookies.values()
            if (host == cookie.domain if cookie.host_only else _in_domain(host, cookie.domain))
            and _on_path(path, cookie.path)
            and (secure or not cookie.secure)
            and (cookie.expires is None or cookie.expires > self._now())
        ]
        fitting.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fitting)

    def value(self, name: str) -> str | None:
        """Return the value of the cookie `name`, wherever it is sent."""
        return next((c.value for c in self.cookies.values() if c.name == name), None)

    def names(self) -> set[str]:
        return {cookie.name for cookie in self.cookies.values()}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.ms / 1000, UTC)

    def _parse(self, line: str, host: str, path: str, secure: bool) -> Cookie:
        if _CONTROL.search(line):
            raise ValueError("control character")
        pair, *attributes = line.split(";")
        name, equals, value = pair.partition("=")
        name, value = (name.strip(" \t"), value.strip(" \t")) if equals else ("", pair.strip(" \t"))
        if not name + value or len(name + value) > 4096:
            raise ValueError("empty or too long")
        said = _said(attributes)
        domain = said.get("domain", "").removeprefix(".").lower()
        if domain and PublicSuffixList().is_public(domain):
            if domain != host:
                raise ValueError("public suffix")
            domain = ""
        if domain and not _in_domain(host, domain):
            raise ValueError("foreign domain")
        given = said.get("path", "")
        cookie = Cookie(
            name,
            value,
            domain or host,
            given if given.startswith("/") else path[: path.rfind("/")] or "/",
            not domain,
            "secure" in said,
            "partitioned" in said,
            self._expiry(said),
        )
        _check(cookie, said, secure)
        return cookie

    def _expiry(self, said: dict[str, str]) -> datetime | None:
        if _MAX_AGE.fullmatch(age := said.get("max-age", "")):
            return self._now() + min(timedelta(seconds=int(age)), _LONGEST)
        return parsedate_to_datetime(said["expires"]) if "expires" in said else None


def _said(attributes: list[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        if len(value.strip()) <= 1024:
            said[name.strip().lower()] = value.strip()
    return said


def _check(cookie: Cookie, said: dict[str, str], secure: bool) -> None:
    """Refuse what steps 8 to 22 of 5.7 refuse."""
    name = (cookie.name or cookie.value).lower()
    if cookie.secure and not secure:
        raise ValueError("secure from plain http")
    if said.get("samesite", "").lower() == "none" and not cookie.secure:
        raise ValueError("SameSite=None without Secure")
    if cookie.partitioned and not cookie.secure:
        raise ValueError("Partitioned without Secure")
    if name.startswith(("__secure-", "__host-", "__http-")):
        if not cookie.name or not cookie.secure:
            raise ValueError("prefix without Secure")
        if name.startswith(("__http-", "__host-http-")) and "httponly" not in said:
            raise ValueError("prefix without HttpOnly")
        if name.startswith("__host-") and not (cookie.host_only and said.get("path") == "/"):
            raise ValueError("__Host- with a Domain or another Path")


def _in_domain(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _on_path(path: str, cookie_path: str) -> bool:
    return path == cookie_path or path.startswith(cookie_path.rstrip("/") + "/")
