"""What a client says of its platform and languages, cut down to what a device is told apart by."""

import re
from functools import lru_cache

_PLATFORMS = {"Android", "Chrome OS", "Chromium OS", "iOS", "Linux", "macOS", "Windows"}
_TAG = re.compile(r"[a-z]{2,3}")
_MOST_LANGUAGES = 4


@lru_cache(maxsize=256)
def platform(hint: bytes, mobile: bytes) -> str:
    """Return the platform of `Sec-CH-UA-Platform` and `Sec-CH-UA-Mobile`; empty for no header.

    Both are of low entropy, so that browsers that have them send them unasked, over HTTPS.
    """
    if not hint and not mobile:
        return ""
    name = hint[:64].decode("latin-1").strip(' "')
    name = name if name in _PLATFORMS else "another platform"
    return f"{name} (mobile)" if mobile.strip() == b"?1" else name


@lru_cache(maxsize=1024)
def languages(accepted: bytes) -> str:
    """Return the primary tags of `Accept-Language`, such as `de,en`; empty for no header.

    Regions and weights are left out: browsers have begun to send fewer of them.
    """
    found: dict[str, None] = {}
    for item in accepted[:256].decode("latin-1").lower().split(","):
        tag = item.partition(";")[0].strip().partition("-")[0]
        if _TAG.fullmatch(tag):
            found[tag] = None
    return ",".join(list(found)[:_MOST_LANGUAGES])
