"""Connections on loan from a client's pool, for the commands that threads send one at a time.

Taking one out of the pool and looking whether it is still open costs more than the command, most of
all where threads wait for the interpreter, which each call of the system lets go of. So one that
was used is lent on for a moment. The pool gets it back soon, whatever there is to do: it renews
credentials, and leads to the new master.
"""

import os
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from redis import BlockingConnectionPool
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as TimedOut

from coatcheck.stores.redis.outage import Command, Unreached, refusal, unavailable
from coatcheck.stores.turns import ThreadTurns

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
        self._turns: AbstractContextManager[None] = nullcontext()  # a pool that lets nobody wait
        if isinstance(pool, BlockingConnectionPool):
            self._turns = ThreadTurns(pool.max_connections, pool.timeout, _no_turn)
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
        with self._turns:
            if (loan := self._take()) is not None:
                if command[0] in _READS:
                    try:  # faster than `suppress`, and this is every read
                        return self._talk(*loan, command)
                    except Disconnected:
                        pass
                elif self._is_good(loan[0]):
                    return self._talk(*loan, command)
            connection = self._borrow()
            return self._talk(connection, self._clock() + LENT_FOR, command)

    def send_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands at once and return their replies; an error that is one's own is its reply.

        Raises:
            RedisError: there were none.
        """
        with self._turns:
            connection = self._borrow()
            try:
                connection.send_packed_command(connection.pack_commands(commands))
                return [_reply(connection) for _ in commands]
            except BaseException:
                connection.disconnect()
                raise
            finally:
                self._release(connection)

    def close(self) -> None:
        """Give everything back to the pool."""
        while self._idle:
            self._give_back()

    def _take(self) -> tuple[Any, float] | None:
        """Return a connection that is idle, and until when it is lent."""
        try:
            connection, until = self._idle.pop()
        except IndexError:
            return None
        if connection.pid != os.getpid():
            return None  # it is the parent's, whose pool is no longer here either
        if self._clock() < until:
            return connection, until
        self._release(connection)
        return None

    def _is_good(self, connection: Any) -> bool:
        """Tell whether a connection is open, with nothing to read; if not, the pool has it."""
        with suppress(Disconnected, OSError):
            if not connection.can_read():
                return True
        self._release(connection)
        return False

    def _borrow(self) -> Any:
        self._waiting.append(None)  # from now on what is given back goes to the pool
        try:
            self._give_back()  # what was given back just before
            connection = self._pool.get_connection()
        except (RedisError, OSError) as error:
            raise unavailable(error, Unreached) from error
        finally:
            self._waiting.pop()
        _limit_in_kernel(connection)
        return connection

    def _talk(self, connection: Any, until: float, command: Command) -> Any:
        try:
            connection.send_packed_command(connection.pack_command(*command))
            reply = connection.read_response()
        except BaseException as error:
            if not isinstance(error, ResponseError):
                connection.disconnect()  # what is still on its way is no reply to anything else
            self._release(connection)
            if refused := refusal(error):
                raise refused from None
            if isinstance(error.__context__, BlockingIOError):  # the kernel's way to put it
                raise TimedOut("Timeout of the socket") from error
            raise
        self._idle.append((connection, until))
        if self._waiting or len(self._idle) > self._most:
            self._give_back()
        return reply

    def _give_back(self) -> None:
        with suppress(IndexError):
            connection, _ = self._idle.popleft()
            if connection.pid == os.getpid():
                self._release(connection)

    def _release(self, connection: Any) -> None:
        _limit_in_python(connection)
        self._pool.release(connection)


def _no_turn() -> Exception:
    return unavailable(Disconnected("no connection was free in time"), Unreached)


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return unavailable(error)


def _limit_in_kernel(connection: Any) -> None:
    """Let the kernel see to `socket_timeout`: Python asks `poll` before each call for it."""
    sock, limit = getattr(connection, "_sock", None), connection.socket_timeout
    if sys.platform != "linux" or type(sock) is not socket.socket or not limit:
        return  # TLS sees to it in its own way
    sock.settimeout(None)
    if not os.get_blocking(sock.fileno()):  # it is gevent's, or another's who waits otherwise
        sock.settimeout(limit)
        return
    timeval = struct.pack("ll", int(limit), int(limit % 1 * 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, timeval)


def _limit_in_python(connection: Any) -> None:
    if (sock := getattr(connection, "_sock", None)) is not None:
        sock.settimeout(connection.socket_timeout)
