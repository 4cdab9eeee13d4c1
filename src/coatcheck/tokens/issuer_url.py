"""The name of an issuer, which is an address (RFC 8414 2)."""

import re
from urllib.parse import urlsplit

from coatcheck.errors import ConfigurationError

_UNSAFE = re.compile(r"[^!-~]|@")
LOCAL = {"localhost", "127.0.0.1", "::1"}


def check_issuer(url: str) -> None:
    """Refuse what is no name of an issuer.

    Raises:
        ConfigurationError: it is none.
    """
    if not is_safe(url) or "?" in url or "#" in url:
        problem = f"{url!r} is no https:// URL without query and fragment"
        raise ConfigurationError("issuer", problem)


def is_safe(url: str) -> bool:
    """Tell whether what is said to a URL stays secret on its way, or on this machine."""
    if type(url) is not str or _UNSAFE.search(url):
        return False
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_local = parts.scheme == "http" and parts.hostname in LOCAL
    return is_whole and (parts.scheme == "https" or is_local)
