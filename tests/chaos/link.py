"""A connection between a client and any server that is slow, breaks in the midst, or goes dead."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from tests.chaos.relay import Relay

_RESET = struct.pack("ii", 1, 0)


@dataclass
class Link(Relay):
    """Listens on `port`.

    Attributes:
        delay: seconds that answers take longer.
        cut: how many bytes of what is answered come through before the connection is reset; once.
        is_dead: nothing comes through any more on connections of now, and nobody is told.
    """

    server_port: int
    port: int = 0
    delay: float = 0.0
    cut: int | None = None
    is_dead: bool = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self.server_port)
        ways = [
            asyncio.create_task(self._ask(reader, questions)),
            asyncio.create_task(self._answer(answers, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, questions):
                end.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(
                *ways, writer.wait_closed(), questions.wait_closed(), return_exceptions=True
            )

    async def _ask(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(65_536):
            if self.is_dead:
                await asyncio.Event().wait()
            server.write(data)

    async def _answer(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while data := await server.read(65_536):
            if self.is_dead:
                await asyncio.Event().wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.cut is not None and len(data) > self.cut:
                client.write(data[: self.cut])
                await client.drain()
                client.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _RESET
                )
                self.cut = None
                return
            client.write(data)


@contextlib.asynccontextmanager
async def link(server_port: int) -> AsyncGenerator[Link]:
    between = Link(server_port)
    server = await asyncio.start_server(between.accept, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield between
        finally:
            await between.stop()
