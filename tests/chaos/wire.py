"""A connection between a client and Redis on which commands are seen, held up, spoiled and lost."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.relay import End, Relay


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
class Passage:
    """One connection's commands: those that are held up, and those that an answer is owed to."""

    held: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue[bytes])
    owed: asyncio.Queue[tuple[list[bytes], Loss | None]] = field(
        default_factory=asyncio.Queue[tuple[list[bytes], Loss | None]]
    )


def _flowing() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Wire(Relay):
    """Passes commands and answers on.

    Attributes:
        flowing: while it is not set, Redis gets nothing and so answers nothing.
        asked: the commands that arrived here, each by its words.
        losses: what is lost, in this order; all of it has to be, in the end.
        echoed: answers to a `GET` that are sent a second time, so that later ones come too late.
        cut: after how many bytes of an answer the connection breaks.
        delay: seconds that each answer is held up.
        spoil: gets each answer and returns what the client gets; empty breaks the connection.
    """

    flowing: asyncio.Event = field(default_factory=_flowing)
    asked: list[list[bytes]] = field(default_factory=list[list[bytes]])
    losses: list[Loss] = field(default_factory=list[Loss])
    echoed: int = 0
    cut: int | None = None
    delay: float = 0
    spoil: Callable[[bytes], bytes] = bytes

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        assert error[0] or not self.losses, "not everything was lost that should have been"

    def commands(self) -> list[str]:
        """Return the names of the commands, in order."""
        return [words[0].upper().decode() for words in self.asked]

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
        async with asyncio.timeout(60):
            while len(self.asked) < number:  # noqa: ASYNC110 - commands tell nobody else
                await asyncio.sleep(0)
        await turns(50)

    def _ways(self, client: End, server: End) -> list[Coroutine[Any, Any, None]]:
        passage = Passage()
        return [
            self._ask(client, passage),
            self._pass_on(passage, server),
            self._answer(client, passage, server),
        ]

    async def _ask(self, client: End, passage: Passage) -> None:
        loss = None
        while loss is None:
            raw, words = await read_command(client.reader)
            self.asked.append(words)
            if self.losses and self.losses[0].what == _kind(words):
                loss = self.losses.pop(0)
            passage.owed.put_nowait((words, loss))
            if loss is None or loss.applied:
                passage.held.put_nowait(raw)
        await asyncio.Event().wait()  # until the answers before it are there

    async def _pass_on(self, passage: Passage, server: End) -> None:
        while True:
            raw = await passage.held.get()
            await self.flowing.wait()
            server.writer.write(raw)

    async def _answer(self, client: End, passage: Passage, server: End) -> None:
        while True:
            words, loss = await passage.owed.get()
            answer = b"" if loss and not loss.applied else await read_answer(server.reader)
            if loss:
                if loss.meanwhile:
                    await loss.meanwhile()
                return
            await asyncio.sleep(self.delay)
            if self.cut is not None:
                client.writer.write(answer[: self.cut])
                return
            if not (spoilt := self.spoil(answer)):
                return
            client.writer.write(spoilt)
            if self.echoed and words[0] == b"GET":
                self.echoed -= 1
                client.writer.write(spoilt)


async def turns(number: int) -> None:
    """Let the event loop turn, so that what is ready to happen happens."""
    for _ in range(number):
        await asyncio.sleep(0)


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
