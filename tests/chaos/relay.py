"""What stands between an application and a server, whatever it does with what passes."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self


class End(NamedTuple):
    """A connection, seen from the middle."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass
class Relay:
    """Listens on `port` within `async with`, and serves each connection in a task of its own.

    Attributes:
        server_port: where the server of new connections is.
        connections: how many there were.
    """

    server_port: int
    port: int = field(default=0, init=False)
    connections: int = field(default=0, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]], init=False)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(End(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: End) -> None:
        server = End(*await asyncio.open_connection("127.0.0.1", self.server_port))
        ways = [asyncio.create_task(way) for way in self._ways(client, server)]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (client, server):
                end.writer.close()
            for way in ways:
                way.cancel()
            closed = (end.writer.wait_closed() for end in (client, server))
            await asyncio.gather(*ways, *closed, return_exceptions=True)

    def _ways(self, client: End, server: End) -> list[Coroutine[Any, Any, None]]:
        """Return what passes things on; when one ends, so do both connections."""
        raise NotImplementedError
