"""What a client says of its platform and languages, cut down to what a device is told apart by."""

import re
from functools import lru_cache

_PLATFORMS = {"Android", "Chrome OS", "Chromium OS", "iOS", "Linux", "macOS", "Windows"}
_TAG = re.compile(r"[a-z]{2,3}")
_MOST_LANGUAGES = 4


def platform(hint: bytes, mobile: bytes) -> str:
    """Return the platform of `Sec-CH-UA-Platform` and `Sec-CH-UA-Mobile`; empty for no header.

    Both are of low entropy, so that browsers that have them send them unasked, over HTTPS.
    """
    return _platform(hint[:64], mobile[:8]) if hint or mobile else ""


def languages(accepted: bytes) -> str:
    """Return the primary tags of `Accept-Language`, such as `de,en`; empty for no header.

    Regions and weights are left out: browsers have begun to send fewer of them.
    """
    return _languages(accepted[:256]) if accepted else ""


# What a client sends is cut before it is kept, in a cache too.


@lru_cache(maxsize=256)
def _platform(hint: bytes, mobile: bytes) -> str:
    name = hint.decode("latin-1").strip(' "')
    name = name if name in _PLATFORMS else "another platform"
    return f"{name} (mobile)" if mobile.strip() == b"?1" else name


@lru_cache(maxsize=1024)
def _languages(accepted: bytes) -> str:
    found: dict[str, None] = {}
    for item in accepted.decode("latin-1").lower().split(","):
        tag = item.partition(";")[0].strip().partition("-")[0]
        if _TAG.fullmatch(tag):
            found[tag] = None
    return ",".join(list(found)[:_MOST_LANGUAGES])
