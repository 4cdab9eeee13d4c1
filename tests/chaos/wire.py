"""Stands between a client and Redis, where pipelines can be held up, seen and spoiled."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from tests.chaos.proxy import read_answer, read_command
from tests.chaos.relay import Relay


@dataclass
class Wire(Relay):
    """Listens on `port`.

    Attributes:
        flowing: while it is not set, Redis gets nothing and so answers nothing.
        asked: the commands that arrived here, each by its words.
        cut: after how many bytes of an answer the connection breaks.
        delay: seconds that each answer is held up.
        spoil: gets each answer and returns what the client gets; empty breaks the connection.
    """

    redis_port: int
    port: int = 0
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[list[bytes]] = field(default_factory=list[list[bytes]])
    cut: int | None = None
    delay: float = 0
    spoil: Callable[[bytes], bytes] = bytes

    def asked_for(self) -> list[str]:
        """Return the keys of the commands, in order, without their prefixes."""
        return [words[1].decode().rpartition(":")[2] for words in self.asked]

    def spoil_answer(self, number: int, instead: bytes) -> None:
        """Spoil one of the answers that follow, counted from 1."""
        answers = 0

        def spoil(answer: bytes) -> bytes:
            nonlocal answers
            answers += 1
            return instead if answers == number else answer

        self.spoil = spoil

    async def until_asked(self, number: int) -> None:
        """Wait for that many commands, and let more come if any are on their way."""
        async with asyncio.timeout(10):
            while len(self.asked) < number:  # noqa: ASYNC110 - commands tell nobody else
                await asyncio.sleep(0)
        await turns(50)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        redis, commands = await asyncio.open_connection("127.0.0.1", self.redis_port)
        held: asyncio.Queue[bytes] = asyncio.Queue()
        ways = [
            asyncio.create_task(self._ask(reader, held)),
            asyncio.create_task(self._pass_on(held, commands)),
            asyncio.create_task(self._answer(redis, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, commands):
                end.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(
                *ways, writer.wait_closed(), commands.wait_closed(), return_exceptions=True
            )

    async def _ask(self, client: asyncio.StreamReader, held: asyncio.Queue[bytes]) -> None:
        while True:
            raw, words = await read_command(client)
            self.asked.append(words)
            held.put_nowait(raw)

    async def _pass_on(self, held: asyncio.Queue[bytes], redis: asyncio.StreamWriter) -> None:
        while True:
            raw = await held.get()
            await self.flowing.wait()
            redis.write(raw)

    async def _answer(self, redis: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        while True:
            answer = await read_answer(redis)
            await asyncio.sleep(self.delay)
            if self.cut is not None:
                client.write(answer[: self.cut])
                return
            if not (spoilt := self.spoil(answer)):
                return
            client.write(spoilt)


async def turns(number: int) -> None:
    """Let the event loop turn, so that what is ready to happen happens."""
    for _ in range(number):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def wire(redis_port: int) -> AsyncGenerator[Wire]:
    between = Wire(redis_port)
    between.flowing.set()
    server = await asyncio.start_server(between.accept, "127.0.0.1", 0)
    between.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield between
        finally:
            await between.stop()
