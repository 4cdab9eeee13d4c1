"""Turns to the connections of a pool: who waits has one before who comes.

A pool gives what comes back to whoever asks next. Of 32 threads on 10 connections 22 never had one
as long as the others went on asking, with SQLAlchemy's pool and with redis-py's.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager


class TaskTurns(AbstractAsyncContextManager[None]):
    """Lets so many tasks go on at a time, in the order in which they came.

    Args:
        number: of connections.
        limit: for how many seconds a turn is waited for.
    """

    def __init__(self, number: int, limit: float) -> None:
        self._left, self._limit = asyncio.Semaphore(number), limit

    async def __aenter__(self) -> None:
        """Wait for a turn.

        Raises:
            TimeoutError: there was none in time.
        """
        if not self._left.locked():
            await self._left.acquire()
            return
        async with asyncio.timeout(self._limit):
            await self._left.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._left.release()


class ThreadTurns(AbstractContextManager[None], AbstractAsyncContextManager[None]):
    """The same for threads; a coroutine that never suspends may wait for one as well.

    Args:
        number: of connections.
        limit: for how many seconds a turn is waited for; `None` is for ever.
        late: makes the error of who had none in time.
    """

    def __init__(
        self, number: int, limit: float | None, late: Callable[[], Exception] = TimeoutError
    ) -> None:
        self._number, self._limit, self._late = number, limit, late
        self._start_afresh()

    def _start_afresh(self) -> None:
        # Both are changed by single steps in C, which threads need no lock for.
        self._free = deque([None] * self._number)
        self._waiting: deque[threading.Lock] = deque()
        self._process = os.getpid()

    def __enter__(self) -> None:
        """Wait for a turn.

        Raises:
            Exception: `late`; there was none in time.
        """
        if not self._waiting:
            try:
                return self._free.pop()
            except IndexError:
                pass
        if self._process != os.getpid():  # a fork took the turns along, but not their threads
            self._start_afresh()
        self._wait()

    def __exit__(self, *_: object) -> None:
        self._free.append(None)
        if self._waiting:
            self._hand_out()

    async def __aenter__(self) -> None:
        """See `__enter__`."""
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _wait(self) -> None:
        mine = threading.Lock()
        mine.acquire()
        self._waiting.append(mine)
        self._hand_out()  # one may have come back just before
        is_here = False
        try:
            is_here = mine.acquire(timeout=-1 if self._limit is None else self._limit)
        finally:
            if not is_here:
                try:
                    self._waiting.remove(mine)
                except ValueError:  # it came at the last moment
                    self.__exit__()
        if not is_here:
            raise self._late()

    def _hand_out(self) -> None:
        """Give what is free to those who wait."""
        while self._waiting:
            try:
                self._free.pop()
            except IndexError:
                return  # whoever has it hands it out
            try:
                self._waiting.popleft().release()
            except IndexError:  # nobody waits any more; or again
                self._free.append(None)
