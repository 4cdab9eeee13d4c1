"""A connection that stays open: what the client says comes when the test says it."""

import asyncio
from types import TracebackType
from typing import Any, Self

from tests.web.client import Client, Message

PATIENCE = 60


class Line:
    """A WebSocket, or a request whose response is read as it comes.

    Attributes:
        error: what the application raised past its server.
    """

    def __init__(self, client: Client, path: str) -> None:
        self._app = client.app
        is_socket = client.scheme in ("ws", "wss")
        self._scope = client.scope(path)
        self.error: Exception | None = None
        self._said: asyncio.Queue[Message] = asyncio.Queue()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        if is_socket:
            self._scope.update(type="websocket", subprotocols=[])
            del self._scope["method"]
            self._said.put_nowait({"type": "websocket.connect"})
        else:
            self._said.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def add_header(self, name: str, value: str) -> None:
        self._scope["headers"].append((name.encode(), value.encode()))

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._said.get, self._sent.put)
        except Exception as error:
            self.error = error

    def say(self, text: str) -> None:
        self._said.put_nowait({"type": "websocket.receive", "text": text})

    def hang_up(self) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1000})

    async def hear(self) -> Message:
        """Wait for the next message of the application."""
        async with asyncio.timeout(PATIENCE):
            return await self._sent.get()

    async def done(self) -> list[Message]:
        """Wait until the application is done, and return what was not heard yet."""
        await asyncio.wait([self.task], timeout=PATIENCE)  # which cancels nothing
        assert self.task.done()
        rest: list[Any] = []
        while not self._sent.empty():
            rest.append(self._sent.get_nowait())
        return rest
