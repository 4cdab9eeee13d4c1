"""A connection between a client and any server that is slow, breaks in the midst, or goes dead."""

import asyncio
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from tests.chaos.relay import End, Relay

_RESET = struct.pack("ii", 1, 0)


@dataclass
class Link(Relay):
    """Passes bytes on.

    Attributes:
        delay: seconds that answers take longer.
        cut: how many bytes of what is answered come through before the connection is reset; once.
        is_dead: nothing comes through any more on connections of now, and nobody is told.
    """

    delay: float = 0.0
    cut: int | None = None
    is_dead: bool = False

    def _ways(self, client: End, server: End) -> list[Coroutine[Any, Any, None]]:
        return [self._ask(client, server), self._answer(client, server)]

    async def _ask(self, client: End, server: End) -> None:
        while data := await client.reader.read(65_536):
            if self.is_dead:
                await asyncio.Event().wait()
            server.writer.write(data)

    async def _answer(self, client: End, server: End) -> None:
        while data := await server.reader.read(65_536):
            if self.is_dead:
                await asyncio.Event().wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.cut is not None and len(data) > self.cut:
                client.writer.write(data[: self.cut])
                await client.writer.drain()
                client.writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _RESET
                )
                self.cut = None
                return
            client.writer.write(data)
