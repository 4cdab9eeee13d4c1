"""What a browser is asked to clear at a logout: `Clear-Site-Data` (ASVS 5.0 V14.3.1)."""

from collections.abc import Collection

from coatcheck.errors import ConfigurationError
from coatcheck.web.transport import Headers

HEADER = b"clear-site-data"
_TYPES = ("cache", "cookies", "storage", "executionContexts", "*")
"""W3C Clear Site Data 3.1."""
_USUAL = ("cache", "storage")
"""Without the cookies, as a browser clears those of the whole registrable domain."""
_BUT_COOKIES = ("cache", "storage", "executionContexts")
"""What `*` stands for where the cookies stay."""


def line(types: bool | Collection[str], *, keeps_cookies: bool = False) -> Headers:
    """Return the header that names these types, each quoted; nothing for `False`.

    Args:
        keeps_cookies: leave those out, as the same answer sets one that is to stay.

    Raises:
        ConfigurationError: there is no such type, or none is named.
    """
    if types is False:
        return []
    named = _USUAL if types is True else types
    if not isinstance(named, list | tuple | set | frozenset) or not named:
        raise ConfigurationError("clear_site_data", f"{types!r} is no list of types, nor a bool")
    for each in named:
        if each not in _TYPES:
            known = ", ".join(_TYPES)
            raise ConfigurationError("clear_site_data", f"{each!r} is none of {known}")
    if keeps_cookies:
        named = _BUT_COOKIES if "*" in named else [each for each in named if each != "cookies"]
    listed = ", ".join(f'"{each}"' for each in dict.fromkeys(named))
    return [(HEADER, listed.encode())] if listed else []


def is_in(headers: Headers) -> bool:
    """Tell whether the application set the header itself."""
    return any(name.lower() == HEADER for name, _ in headers)
