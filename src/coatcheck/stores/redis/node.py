"""One Redis, or the master that Sentinel names, by the pool of either kind of client."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from contextvars import Context
from typing import Any, NamedTuple, cast

import redis
import redis.asyncio
from redis.exceptions import ReadOnlyError, RedisError

from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis.advice import advice, advice_of_sentinels
from coatcheck.stores.redis.batch import Batches
from coatcheck.stores.redis.loans import Loans
from coatcheck.stores.redis.outage import Command, Unreached, is_harmless, unavailable
from coatcheck.stores.redis.wait import Wait
from coatcheck.waiting import Kind

LOOK_EVERY = 1.0
"""Seconds after which the sentinels are asked again, while there are commands: a master that was
replaced goes on answering, for ten seconds and more, until a sentinel gets round to it."""
TLS = (redis.SSLConnection, redis.asyncio.SSLConnection)


class Wire(NamedTuple):
    """How the server is reached; `host` is `None` for a Unix socket."""

    host: str | None
    is_encrypted: bool
    has_password: bool


class Node:
    """Sends commands, and repeats one that another master is there for now.

    Args:
        pool: of a client of `redis` or `redis.asyncio`.
        kind: which of them.
        wait: what a write waits for that is told to.
    """

    def __init__(self, pool: Any, kind: Kind, wait: Wait | None = None) -> None:
        self.kind = kind
        self._pool, self._wait = pool, wait
        self._sentinel: Any = getattr(pool, "sentinel_manager", None)
        self.is_led = self._sentinel is not None
        self._sentinels: tuple[Any, ...] = tuple(self._sentinel.sentinels) if self._sentinel else ()
        self._loans = Loans(pool)
        self._batches: Batches | None = None
        self._waiting: Batches | None = None
        self._look_at = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def send(self, *command: bytes | str | int, waits: bool = False) -> Any:
        """Send a command and return its reply; with asyncio it leaves with those of others.

        A write that a replica refused is repeated, as whatever led to it may lead to the master by
        now; behind Sentinel, so is a read whose connection broke.

        Args:
            waits: whether the reply is waited for until replicas have the write, if any is.

        Raises:
            StoreUnavailable: the reply was an error, which is the cause, or there was none, and the
                command may have been carried out.
        """
        try:
            return await self._send(command, waits)
        except StoreUnavailable as error:
            is_refused = isinstance(error.__cause__, ReadOnlyError)
            is_lost = self._sentinel and not isinstance(error, Unreached)
            if not is_refused and not (is_lost and is_harmless(error, command)):
                raise
            if is_refused:
                await self._forget_connections()
        return await self._send(command, waits)

    async def send_all(self, commands: Sequence[Command], *, waits: bool = False) -> list[Any]:
        """Send commands on a connection of their own and return the replies, errors too.

        Raises:
            StoreUnavailable: there were none.
        """
        wait = self._wait if waits else None
        told = [*commands, wait.command] if wait else commands
        try:
            if self.kind is Kind.BLOCKING:
                replies = self._loans.send_all(told)
            else:
                replies = await (await self._enter()).send_all(told)
        except (RedisError, OSError) as error:
            raise unavailable(error) from error
        confirmed: Any = replies.pop() if wait else None
        if wait and not isinstance(replies[-1], StoreUnavailable):
            if isinstance(confirmed, StoreUnavailable):
                raise confirmed
            if shortfall := wait.shortfall(confirmed):
                raise shortfall
        return replies

    async def scan(self, after: str | None, pattern: str, limit: int) -> tuple[str | None, Any]:
        """Return where the next page of all keys starts, and the keys of this one."""
        cursor, keys = await self.send("SCAN", after or 0, "MATCH", pattern, "COUNT", limit)
        return (cursor.decode() if int(cursor) else None), keys

    async def masters(self) -> "list[Node]":
        """Return this, the only one."""
        return [self]

    @property
    def name(self) -> str | None:
        """Host and port; `None` for a Unix socket, and behind Sentinel before the first command."""
        if self._sentinel:
            address = self._pool.master_address
        else:
            address = self._settings.get("host"), self._settings.get("port", 6379)
        return f"{address[0]}:{address[1]}" if address and address[0] else None

    @property
    def wire(self) -> Wire:
        """How the server is reached."""
        settings = self._settings
        has_password = bool(settings.get("password") or settings.get("credential_provider"))
        host = None if settings.get("path") else settings.get("host", "localhost")
        if self._sentinel:
            host = self._pool.master_address and self._pool.master_address[0]
        return Wire(host, issubclass(self._pool.connection_class, TLS), has_password)

    async def why(self, outage: StoreUnavailable) -> str:
        """Say what an outage comes from and what to do; behind Sentinel it asks the sentinels."""
        if self._sentinel and type(outage.__cause__).__name__ == "MasterNotFoundError":
            return await advice_of_sentinels(self._sentinel, self._pool.service_name)
        return advice(outage.__cause__, self.name or "the socket")

    async def close(self) -> None:
        """Let go of all connections. Twice is fine."""
        if self.kind is Kind.BLOCKING:
            self._loans.close()
            for pool in self._pools:
                pool.disconnect()
        else:
            await self._enter()
            if self._looking is not None:
                await asyncio.wait([self._looking])
            for batches in (self._batches, self._waiting):
                if batches is not None:
                    await batches.close()
            for pool in self._pools:
                await pool.disconnect()

    @property
    def _settings(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self._pool.connection_kwargs)

    @property
    def _pools(self) -> list[Any]:
        return [self._pool, *(sentinel.connection_pool for sentinel in self._sentinels)]

    async def _send(self, command: Command, waits: bool) -> Any:
        is_vouched = waits and self._wait is not None
        if self.kind is Kind.BLOCKING:
            if is_vouched:
                (reply,) = await self.send_all([command], waits=True)
                if isinstance(reply, StoreUnavailable):
                    raise reply
                return reply
            if self._sentinel and time.monotonic() >= self._look_at:
                self._look()
            try:
                return self._loans.send(command)
            except (RedisError, OSError) as error:
                raise unavailable(error) from error
        batches = self._waiting if is_vouched else self._batches
        if batches is None or batches.loop is not asyncio.get_running_loop():
            batches = await self._enter(is_vouched)
        if self._sentinel and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            if self._looking is None or self._looking.done():
                # Beside the commands, in a context that is no request's.
                self._looking = Context().run(batches.loop.create_task, self._look_behind())
        return await batches.send(*command)

    def _look(self) -> None:
        """Ask the sentinels who is the master, and leave the one before."""
        start = time.monotonic()
        self._look_at = start + LOOK_EVERY
        before = self._pool.master_address
        self._restore_sentinels()
        with contextlib.suppress(RedisError, OSError):
            if self._pool.get_master_address() != before:
                self._loans.close()
        took = time.monotonic() - start
        self._look_at += 10 * took  # sentinels that do not answer hold hardly anybody up

    async def _look_behind(self) -> None:
        before = self._pool.master_address
        self._restore_sentinels()
        with contextlib.suppress(RedisError, OSError):
            if await self._pool.get_master_address() != before:
                for connection in self._pool._in_use_connections:
                    connection.mark_for_reconnect()  # once what is under way is answered

    def _restore_sentinels(self) -> None:
        """Have each in the driver's list once, which it puts in order: who answered comes first.

        Several connections that are made at once, as after a failover, put it in order at once.
        """
        listed: list[Any] = self._sentinel.sentinels
        listed[:] = dict.fromkeys([*listed, *self._sentinels])

    async def _forget_connections(self) -> None:
        """Open new ones from now on: those that there are lead to what is a replica now."""
        if self.kind is Kind.BLOCKING:
            self._loans.close()
            self._pool.disconnect(inuse_connections=False)
        else:
            await self._pool.disconnect(inuse_connections=False)

    async def _enter(self, is_vouched: bool = False) -> Batches:
        """Return the batches of the running event loop, whose connections the pool has then.

        A connection lives and dies with the loop that opened it.
        """
        loop, batches = asyncio.get_running_loop(), self._batches
        if batches is not None and batches.loop is not loop:
            for pool in self._pools:
                with contextlib.suppress(RuntimeError, RedisError):  # that loop may be closed
                    await pool.disconnect(inuse_connections=False)
        if self._batches is None or self._batches.loop is not loop:
            self._batches, self._looking = Batches(self._pool, loop), None
            self._look_at = time.monotonic() + LOOK_EVERY  # the first connection asks anyway
            self._waiting = Batches(self._pool, loop, self._wait)
        return self._waiting if is_vouched and self._waiting else self._batches
