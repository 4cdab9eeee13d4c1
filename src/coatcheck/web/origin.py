"""Origins: scheme, host and port of a page, compared whole (RFC 6454 5).

In the one spelling that browsers send: lower case, and no port where it is the scheme's own.
"""

import re
from functools import lru_cache

_ORIGIN = re.compile(rb"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
_BEGINNING = re.compile(rb"[^:/?#]+://[^/?#]*")
_ITS_OWN = {b"http": b"80", b"https": b"443"}
_LONGEST = 300  # the name of a host has 253 characters at most


def parse(text: bytes) -> str | None:
    """Return the origin that `text` is, `None` for anything else: `null`, a path, two of them."""
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=256)  # few origins, many requests
def _parsed(text: bytes) -> str | None:
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        return None
    scheme, host, port = found.groups()
    spelled: bytes = scheme + b"://" + host
    return (spelled if port in (None, _ITS_OWN[scheme]) else spelled + b":" + port).decode()


def of_host(host: bytes, *, secure: bool) -> str | None:
    """Return the origin of what is served under a `Host`."""
    return parse((b"https://" if secure else b"http://") + host)


def of_url(url: bytes) -> str | None:
    """Return the origin of the page at an address."""
    found = _BEGINNING.match(url[: _LONGEST + 1])
    return None if found is None else parse(found[0])
