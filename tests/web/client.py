"""A client that speaks ASGI as a server does: any bytes go in, the list of headers comes out."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.web.jar import Jar

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[str | bytes, str | bytes]]

HOST = "shop.example.com"
STRANGER = "198.51.100.7"


class Reply(NamedTuple):
    """What came back. `error` is what the app raised past its server; then the status is 500."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    error: Exception | None

    def all(self, name: str) -> list[str]:
        return [v.decode("latin-1") for n, v in self.headers if n == name.encode()]

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    @property
    def cookies(self) -> list[str]:
        return self.all("set-cookie")

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One browser: its jar follows the specification, unless a test sends a header of its own."""

    def __init__(
        self,
        app: App,
        *,
        jar: Jar | None = None,
        scheme: str = "https",
        peer: str | None = STRANGER,
    ) -> None:
        self.app, self.scheme, self.peer = app, scheme, peer
        self.secure = scheme in ("https", "wss")  # as the browser sees it; a proxy may be between
        self.jar = Jar() if jar is None else jar

    @property
    def cookie(self) -> str:
        """The header it would send to `/`."""
        return self.jar.header(host=HOST, secure=self.secure)

    def scope(self, path: str) -> Message:
        """Return the scope of a GET."""
        return {**self._scope("http", path, ()), "method": "GET"}

    async def get(self, path: str, headers: Headers = (), **scope: Any) -> Reply:
        return await self.send("GET", path, headers, **scope)

    async def post(self, path: str, headers: Headers = (), body: bytes = b"") -> Reply:
        return await self.send("POST", path, headers, body)

    async def send(
        self, method: str, path: str, headers: Headers = (), body: bytes = b"", **scope: Any
    ) -> Reply:
        """Send a request; without a `cookie` among the headers the jar gives one."""
        full = {**self._scope("http", path, headers), "method": method, **scope}
        incoming = iter([{"type": "http.request", "body": body, "more_body": False}])
        answered = asyncio.Event()
        sent: list[Message] = []

        async def receive() -> Message:
            for message in incoming:
                return message
            await answered.wait()  # the client does not hang up before
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        error: Exception | None = None
        try:
            await self.app(full, receive, send)
        except Exception as raised:
            error = raised
        return self._reply(sent, path, error)

    async def websocket(self, path: str, *texts: str, **scope: Any) -> list[Message]:
        """Open a WebSocket, send `texts`, hang up; return what the app sent meanwhile."""
        full = {**self._scope("websocket", path, ()), "subprotocols": list[str](), **scope}
        said: list[Message] = [{"type": "websocket.receive", "text": text} for text in texts]
        hang_up: Message = {"type": "websocket.disconnect", "code": 1000}
        incoming = iter([{"type": "websocket.connect"}, *said, hang_up])
        sent: list[Message] = []

        async def receive() -> Message:
            return next(incoming)

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(full, receive, send)
        for message in sent:
            self._keep(message.get("headers", ()), path)
        return sent

    def _scope(self, kind: str, path: str, headers: Headers) -> dict[str, Any]:
        path, _, query = path.partition("?")
        url = quote(path)
        raw = [(_bytes(name), _bytes(value)) for name, value in headers]
        if not any(name == b"cookie" for name, _ in raw):
            own = self.jar.header(host=HOST, path=url, secure=self.secure)
            raw += [(b"cookie", own.encode())] if own else []
        if not any(name == b"host" for name, _ in raw):
            raw.append((b"host", HOST.encode()))
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "path": path,
            "raw_path": url.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": None if self.peer is None else (self.peer, 50_000),
            "server": (HOST, 443),
            "state": {},
        }

    def _reply(self, sent: list[Message], path: str, error: Exception | None) -> Reply:
        starts = [message for message in sent if message["type"] == "http.response.start"]
        assert len(starts) <= 1, "a response starts once"
        start: Message = starts[0] if starts else {"status": 500, "headers": []}
        body = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        self._keep(start["headers"], path)
        return Reply(start["status"], list(start["headers"]), body, error)

    def _keep(self, headers: Iterable[tuple[bytes, bytes]], path: str) -> None:
        url = quote(path.partition("?")[0])
        for name, value in headers:
            if name == b"set-cookie":
                self.jar.store(value.decode("latin-1"), host=HOST, path=url, secure=self.secure)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
