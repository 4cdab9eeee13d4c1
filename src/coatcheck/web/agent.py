"""The family of a user agent, such as "Firefox on Linux": enough to know a device by.

The raw header is not kept: it identifies more than a list of devices needs.
"""

from functools import lru_cache

# The first that fits names it: most agents also claim to be those further down.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
    ("okhttp", "Android app"),
    ("Dart/", "Dart app"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def family(user_agent: bytes) -> str | None:
    """Return browser and system of a `User-Agent`, `None` for no header."""
    return _family(user_agent[:512]) if user_agent else None


@lru_cache(maxsize=1024)
def _family(user_agent: bytes) -> str:
    head = user_agent.decode("latin-1")
    browser = next((name for mark, name in _BROWSERS if mark in head), "Unknown agent")
    system = next((name for mark, name in _SYSTEMS if mark in head), None)
    return f"{browser} on {system}" if system else browser
