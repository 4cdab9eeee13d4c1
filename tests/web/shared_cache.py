"""A cache in front of an app that stores and reuses all that RFC 9111 lets a shared cache."""

from collections.abc import Iterable

from tests.web.client import App, Message, Receive, Send

Headers = list[tuple[bytes, bytes]]

# RFC 9110 15.1: stored without being told for how long.
_HEURISTIC = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501}


def storable(method: str, status: int, asked: Headers, said: Headers) -> bool:
    """Tell whether a shared cache may store a response: RFC 9111 3."""
    control = set(_items(said, b"cache-control"))
    if method not in ("GET", "HEAD") or control & {"no-store", "private"}:
        return False
    if _values(asked, b"authorization") and not control & {"public", "s-maxage", "must-revalidate"}:
        return False
    explicit = control & {"public", "max-age", "s-maxage"} or _values(said, b"expires")
    return bool(explicit) or status in _HEURISTIC


def fits(before: Headers, asked: Headers, said: Headers) -> bool:
    """Tell whether a stored response answers a request, by its `Vary`: RFC 9111 4.1."""
    names = list(_items(said, b"vary"))
    return "*" not in names and all(
        _values(before, name.encode()) == _values(asked, name.encode()) for name in names
    )


class SharedCache:
    """Answers from what it stored, however old, where `Vary` allows it (RFC 9111 4.1).

    Attributes:
        stored: the requests' headers and the responses' messages, by URL.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.stored: dict[tuple[str, bytes], list[tuple[Headers, list[Message]]]] = {}

    async def __call__(
        self,
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        asked, entries = scope["headers"], self.stored.setdefault(_url(scope), [])
        for before, messages in entries:
            if scope["method"] == "GET" and fits(before, asked, messages[0]["headers"]):
                for message in messages:
                    await send(message)
                return
        passed: list[Message] = []

        async def keep(message: Message) -> None:
            passed.append(message)
            await send(message)

        await self._app(scope, receive, keep)
        start = passed[0]
        if storable(scope["method"], start["status"], asked, start["headers"]):
            entries.append((asked, passed))


def _url(scope: Message) -> tuple[str, bytes]:
    return scope["path"], scope["query_string"]


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in headers if key.lower() == name]


def _items(headers: Headers, name: bytes) -> Iterable[str]:
    for value in _values(headers, name):
        for item in value.decode("latin-1").split(","):
            yield item.strip().partition("=")[0].lower()
