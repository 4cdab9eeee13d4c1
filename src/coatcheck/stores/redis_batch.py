"""Commands of one turn of the event loop leave as one pipeline, on one connection.

While a pipeline is under way, what is asked collects for the next. It travels by redis-py's own
connections, out of the client's pool: their settings, their protocol.
"""

import asyncio
from contextvars import Context
from typing import Any

from redis.exceptions import ResponseError

from coatcheck.core.hide import hide
from coatcheck.errors import StoreUnavailable

PATIENCE = 2.0
"""Seconds that a pipeline may take where the client sets no `socket_timeout`: others wait."""

Command = tuple[bytes | str | int, ...]
Reply = asyncio.Future[Any]


class Batches:
    """Sends commands of one event loop, and answers each.

    The task that sends ends when nothing is left to send, so an idle store has none. A request that
    is cancelled takes back its command if that was not sent yet; for the others nothing changes.

    Args:
        pool: of a client of `redis.asyncio`.
        loop: the running one.
    """

    def __init__(self, pool: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._pool = pool
        settings: dict[str, Any] = pool.connection_kwargs
        limits = [settings.get(name) for name in ("socket_connect_timeout", "socket_timeout")]
        # For a free connection, to connect, and to be let in; a client may set none of these.
        self._until_connected = PATIENCE + sum(limit or PATIENCE for limit in limits)
        self._queue: list[tuple[Command, Reply]] = []
        self._batch: list[tuple[Command, Reply]] = []
        self._sender: asyncio.Task[None] | None = None

    def send(self, *command: bytes | str | int) -> Reply:
        """Let a command leave with others, and return its reply to wait for.

        Raises:
            StoreUnavailable: when waited for: the reply was an error, which is the cause, or there
                was none, and the command may have been carried out.
        """
        reply = self.loop.create_future()
        self._queue.append((command, reply))
        if self._sender is None:
            # In a context of its own: it outlives the request that happened to be first.
            self._sender = Context().run(self.loop.create_task, self._send_all())
            self._sender.add_done_callback(self._end)
        return reply

    async def close(self) -> None:
        """Stop; who still waits gets `StoreUnavailable`."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])

    async def _send_all(self) -> None:
        while self._queue:
            self._batch, self._queue = self._queue, []
            try:
                await self._exchange()
            except Exception as error:  # whatever it is, no reply can be told from another's
                for _, reply in self._batch:
                    _fail(reply, error)
        self._batch, self._sender = [], None

    async def _exchange(self) -> None:
        """Send the batch as one write and hand out the replies, in order."""
        try:
            async with asyncio.timeout(self._until_connected):
                connection = await self._pool.get_connection()
        except TimeoutError:
            raise TimeoutError(f"no connection within {self._until_connected} seconds") from None
        # One limit for all: the connection's own starts anew with each reply, and costs with each.
        limit, connection.socket_timeout = connection.socket_timeout, None
        try:
            async with asyncio.timeout(limit or PATIENCE):
                await self._talk(connection)
        except TimeoutError:
            raise TimeoutError(f"no answer within {limit or PATIENCE} seconds") from None
        finally:
            connection.socket_timeout = limit
            await self._pool.release(connection)

    async def _talk(self, connection: Any) -> None:
        packed: list[bytes] = []
        replies: list[Reply] = []
        for command, reply in self._batch:
            if reply.done():  # cancelled while it waited
                continue
            try:
                packed += connection.pack_command(*command)
            except ValueError as error:  # no Unicode: nobody else's mistake
                reply.set_exception(error)
            else:
                replies.append(reply)
        if not replies:
            return
        await connection.send_packed_command(packed)
        for reply in replies:
            try:
                answer = await connection.read_response()
            except ResponseError as error:  # at anything else the connection closes itself
                _fail(reply, error)
            else:
                if not reply.done():
                    reply.set_result(answer)

    def _end(self, sender: "asyncio.Task[None]") -> None:
        """Leave nobody waiting where the task did not come to its end."""
        if self._sender is sender:
            unanswered = self._batch + self._queue
            self._batch, self._queue, self._sender = [], [], None
            for _, reply in unanswered:
                _fail(reply, ConnectionAbortedError("the store was closed"))


def unavailable(error: Exception) -> StoreUnavailable:
    """Return how the store puts an error of the driver, which is its cause."""
    outage = StoreUnavailable(f"Redis: {type(error).__name__}: {error}")
    outage.__cause__ = error
    hide(error)  # the driver's frames hold the password, and what was to be written
    return outage


def _fail(reply: Reply, error: Exception) -> None:
    if not reply.done():
        reply.set_exception(unavailable(error))
