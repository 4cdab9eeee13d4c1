"""A cache between the browsers and the site, shared by all: it keeps what RFC 9111 lets it keep."""

from coatcheck.testing.drivers import Reply
from tests.attacks.site import Browser
from tests.web.shared_cache import Headers, fits, storable


class Cache:
    """Answers from what it stored, however old, where `Vary` allows it."""

    def __init__(self) -> None:
        self._stored: dict[tuple[str, str], list[tuple[Headers, Reply]]] = {}

    def get(self, browser: Browser, path: str, **query: str) -> Reply:
        """Answer a browser's request, from what is stored or from the site."""
        asked = _raw(browser.asks())
        stored = self._stored.setdefault((path, str(query)), [])
        for before, reply in stored:
            if fits(before, asked, _raw(reply.headers)):
                return reply
        reply = browser.get(path, **query)
        if storable("GET", reply.status, asked, _raw(reply.headers)):
            stored.append((asked, reply))
        return reply


def _raw(headers: list[tuple[str, str]]) -> Headers:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
