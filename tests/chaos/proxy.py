"""Stands between a client and Redis, and loses what it is told to lose."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.chaos.relay import Relay


@dataclass
class Loss:
    """The next command of a kind is lost, or its answer is; the connection breaks either way.

    Attributes:
        what: the store's method: `load`, `save`, `touch`, `end`, `enlist`, `delist`, `bar`.
        applied: whether Redis carries the command out.
        meanwhile: happens before the client notices.
    """

    what: str
    applied: bool
    meanwhile: Callable[[], Awaitable[object]] | None = None


@dataclass
class Proxy(Relay):
    """Listens on `port`; `losses` are taken in their order.

    Attributes:
        commands: what clients sent, by Redis's own names.
        echoed: answers that are sent a second time, so that later ones come one too late.
    """

    redis_port: int
    port: int = 0
    losses: list[Loss] = field(default_factory=list[Loss])
    commands: list[str] = field(default_factory=list[str])
    echoed: int = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis, commands = await asyncio.open_connection("127.0.0.1", self.redis_port)
        try:
            while await self._pass_on(reader, writer, redis, commands):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            for end in (writer, commands):
                end.close()
            for end in (writer, commands):
                with contextlib.suppress(ConnectionError):
                    await end.wait_closed()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        redis: asyncio.StreamReader,
        commands: asyncio.StreamWriter,
    ) -> bool:
        """Pass one command and its answer on; tell whether the connection goes on."""
        raw, words = await read_command(reader)
        self.commands.append(words[0].upper().decode())
        loss = self._loss(words)
        if loss is None or loss.applied:
            commands.write(raw)
            answer = await read_answer(redis)
            if loss is None:
                writer.write(answer)
                if self.echoed and words[0] == b"GET":
                    self.echoed -= 1
                    writer.write(answer)
                return True
        if loss.meanwhile:
            await loss.meanwhile()
        return False

    def _loss(self, words: list[bytes]) -> Loss | None:
        if self.losses and self.losses[0].what == _kind(words):
            return self.losses.pop(0)
        return None


@contextlib.asynccontextmanager
async def proxy(redis_port: int) -> AsyncGenerator[Proxy]:
    between = Proxy(redis_port)
    server = await asyncio.start_server(between.accept, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield between
        finally:
            await between.stop()
    assert between.losses == [], "not everything was lost that should have been"


def _kind(words: list[bytes]) -> str:
    """Return the store's method that sends such a command."""
    name = words[0].upper().decode()
    if name in ("EVAL", "EVALSHA"):
        keys, values = words[2], words[3 + int(words[2]) :]
        if keys == b"2":
            return "enlist" if len(values) == 7 else "bar"
        if len(values) == 2:
            return "touch"
        return "save" if values[1].startswith(b"R") else "end"
    return {"GET": "load", "ZREM": "delist"}.get(name, name)


async def read_command(reader: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """Return a command as it is, and its words."""
    raw = await reader.readuntil(b"\r\n")
    words: list[bytes] = []
    for _ in range(int(raw[1:])):
        size = await reader.readuntil(b"\r\n")
        word = await reader.readexactly(int(size[1:]) + 2)
        raw += size + word
        words.append(word[:-2])
    return raw, words


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """Return one whole answer, of either version of the protocol."""
    raw = await reader.readuntil(b"\r\n")
    kind, number = raw[:1], raw[1:-2]
    if kind in b"$=!" and number != b"-1":
        return raw + await reader.readexactly(int(number) + 2)
    if kind in b"*%~>" and number != b"-1":
        for _ in range(int(number) * (2 if kind == b"%" else 1)):
            raw += await read_answer(reader)
    return raw
