"""Connections on loan from a client's pool, for the commands that threads send one at a time.

Taking one out of the pool and looking whether it is still open costs more than the command, most of
all where threads wait for the interpreter. So one that was used is lent on for a moment. The pool
gets it back soon, whatever there is to do: it renews credentials, and leads to the new master.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError

from coatcheck.stores.redis_batch import Command

LENT_FOR = 1.0
"""Seconds after which the pool gets a connection back."""
_READS = ("GET", "TIME")


class Loans:
    """What is lent on, the last one first.

    It is at most half of what the pool has, so that there is something left for others who use the
    client; and nothing while one of ours waits for the pool.

    Args:
        pool: of a client of `redis`.
        clock: seconds from wherever.
    """

    def __init__(self, pool: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._clock = pool, clock
        self._most: int = pool.max_connections // 2
        # Both are changed by single steps in C, which threads need no lock for.
        self._idle: deque[tuple[Any, float]] = deque()
        self._waiting: deque[None] = deque()

    def send(self, command: Command) -> Any:
        """Send one command and return its reply.

        A connection that was closed while it was idle is found out by a read that fails, which is
        repeated; anything else is sent only after a look.

        Raises:
            RedisError: the reply was an error, or there was none.
        """
        if (loan := self._take()) is not None:
            if command[0] in _READS:
                with suppress(Disconnected):
                    return self._talk(*loan, command)
            elif self._is_good(loan[0]):
                return self._talk(*loan, command)
        connection = self._borrow()
        return self._talk(connection, self._clock() + LENT_FOR, command)

    def close(self) -> None:
        """Give everything back to the pool."""
        while self._idle:
            self._give_back()

    def _take(self) -> tuple[Any, float] | None:
        """Return a connection that is idle, and until when it is lent."""
        with suppress(IndexError):
            connection, until = self._idle.pop()
            if connection.pid != os.getpid():
                return None  # it is the parent's, whose pool is no longer here either
            if self._clock() < until:
                return connection, until
            self._pool.release(connection)
        return None

    def _is_good(self, connection: Any) -> bool:
        """Tell whether a connection is open, with nothing to read; if not, the pool has it."""
        with suppress(Disconnected, OSError):
            if not connection.can_read():
                return True
        self._pool.release(connection)
        return False

    def _borrow(self) -> Any:
        self._waiting.append(None)  # from now on what is given back goes to the pool
        try:
            self._give_back()  # what was given back just before
            return self._pool.get_connection()
        finally:
            self._waiting.pop()

    def _talk(self, connection: Any, until: float, command: Command) -> Any:
        try:
            connection.send_packed_command(connection.pack_command(*command))
            reply = connection.read_response()
        except BaseException as error:
            if not isinstance(error, ResponseError):
                connection.disconnect()  # what is still on its way is no reply to anything else
            self._pool.release(connection)
            raise
        self._idle.append((connection, until))
        if self._waiting or len(self._idle) > self._most:
            self._give_back()
        return reply

    def _give_back(self) -> None:
        with suppress(IndexError):
            connection, _ = self._idle.popleft()
            if connection.pid == os.getpid():
                self._pool.release(connection)
