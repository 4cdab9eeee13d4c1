"""What a browser is asked to clear at a logout: `Clear-Site-Data` (ASVS 5.0 V14.3.1)."""

from collections.abc import Collection

from coatcheck.errors import ConfigurationError
from coatcheck.web.transport import Headers

HEADER = b"clear-site-data"
_TYPES = ("cache", "cookies", "storage", "executionContexts", "*")
"""W3C Clear Site Data 3.1."""
_USUAL = ("cache", "storage")
"""Without the cookies, as a browser clears those of the whole registrable domain."""


def line(types: bool | Collection[str]) -> Headers:
    """Return the header that names these types, each quoted; nothing for `False`.

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
    return [(HEADER, ", ".join(f'"{each}"' for each in dict.fromkeys(named)).encode())]


def is_in(headers: Headers) -> bool:
    """Tell whether the application set the header itself."""
    return any(name.lower() == HEADER for name, _ in headers)
