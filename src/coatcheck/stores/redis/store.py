"""Sessions in Redis or Valkey (7 or later), by redis-py's blocking or asyncio client.

A session is one string: a load is one GET, and each write one small script on one key, atomic in a
cluster too. The key's time to live is a duration with a margin; the record decides about expiry. A
subject's index is a sorted set, its bar a string in the same slot. An entry's score is when its
session ends at the latest, but above all that were there, so that it is the order of G4, too.

Which server a command goes to is `node`'s and `cluster`'s. With asyncio the commands of one turn of
the event loop leave together (`batch`); a thread has one command at a time to send, on a connection
that the client's pool has lent (`loans`).
"""

import asyncio
import re
import struct
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, ResponseError

from coatcheck.core.policy import BAR_KEPT, GRACE
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.core.token import is_id
from coatcheck.errors import ConfigurationError, StoreUnavailable, Undecodable
from coatcheck.stores.packed import (
    FOREIGN,
    TOMBSTONE,
    expected,
    pack,
    pack_tombstone,
    page_of,
    unpack,
)
from coatcheck.stores.protocol import Barred, Conflict, Page, Unconfirmed, refuse
from coatcheck.stores.redis.cluster import Cluster
from coatcheck.stores.redis.evictions import Evictions
from coatcheck.stores.redis.node import Node
from coatcheck.stores.redis.scripts import BAR, END, ENLIST, SAVE, SHA, TALLY, TOUCH
from coatcheck.stores.redis.servers import Servers, servers_at, servers_of
from coatcheck.stores.redis.url import parse, wait_of
from coatcheck.stores.redis.wait import Wait
from coatcheck.waiting import Kind

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    Client = redis.Redis | redis.asyncio.Redis | redis.RedisCluster | redis.asyncio.RedisCluster

_AT_ONCE = 100
"""How many records are asked for in one pipeline, which has one time limit."""


class RedisStore:
    """Keeps sessions in Redis: one server, a master behind Sentinel, or a cluster.

    Args:
        client: `Redis` (as `Sentinel.master_for` makes them, too) or `RedisCluster`, of
            `redis.asyncio` for `Sessions`, of `redis` for `BlockingSessions`; with bytes as replies
            and without retries of its own (S4). `from_url` makes what fits.
        prefix: of all keys, to keep applications in one database apart.
        wait: how many replicas must have a save, an end or a bar before it is acknowledged. One is
            for the death of the master, all of them for one that lives on when it is replaced.
        wait_timeout: seconds that this may take; then it is `StoreUnavailable`, though stored.

    Raises:
        ConfigurationError: the client does not fit.
    """

    def __init__(
        self,
        client: "Client",
        *,
        prefix: str = "coatcheck",
        wait: int = 0,
        wait_timeout: float = 1.0,
    ) -> None:
        self._client: Any = client
        told = wait_of(wait, wait_timeout, {})
        self._serve(servers_of(client, told), prefix, told)

    @classmethod
    def from_url(cls, url: str, *, kind: Kind = Kind.ASYNCIO) -> "RedisStore":
        """Connect to `redis://`, `rediss://` or `unix://`, by a pool of at most 32 connections.

        To the master that sentinels name: `redis+sentinel://host:port,host:port/name/database`. To
        a cluster: `redis+cluster://host:port,host:port`. With TLS: `rediss+…`. `valkey` may stand
        for `redis`.

        The query sets `prefix`, `wait` and `wait_timeout`, `sentinel_username` and
        `sentinel_password`, and redis-py's own options: `socket_timeout` and
        `socket_connect_timeout` (seconds, 2 unless given), `max_connections` (of each server),
        `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` and so on.

        Raises:
            ConfigurationError: the URL is wrong; the password in it is not repeated.
        """
        target = parse(url)
        store = cls.__new__(cls)
        store._client = None
        store._serve(servers_at(target, kind), target.prefix, target.wait)
        return store

    def _serve(self, servers: Servers, prefix: str, wait: Wait | None) -> None:
        if isinstance(servers, Cluster) and "{" in prefix:
            raise ConfigurationError("prefix", "has a brace, which keeps a cluster on one node")
        self.kind = servers.kind
        self._servers, self._send, self._prefix = servers, servers.send, prefix
        self._evictions, self._is_vouched = Evictions(), wait is not None

    @property
    def is_led(self) -> bool:
        """Whether a replica takes a server's place when it dies: behind Sentinel, in a cluster."""
        return self._servers.is_led

    async def masters(self) -> list[Node]:
        """Return the servers that sessions are in, to ask them something of one's own.

        Raises:
            StoreUnavailable: the cluster does not tell.
        """
        return await self._servers.masters()

    async def why(self, outage: StoreUnavailable) -> str:
        """Say what an outage comes from and what to do, without any secret; for operators."""
        return await self._servers.why(outage)

    async def load(self, id: str, /) -> Stored:
        """See `Store.load`."""
        return unpack(id, await self._send("GET", self._key(id)))

    async def save(self, record: Record, base: Record | None, /) -> None:
        """See `Store.save`."""
        values = expected(base), pack(record), _life(record)
        try:
            reply = await self._script(SAVE, [self._key(record.id)], *values, waits=True)
        except StoreUnavailable as error:
            if not self._is_vouched or isinstance(error, Unconfirmed):
                raise
            return await self._save_again(record, *values)
        if reply != 1:
            refuse(record, unpack(record.id, reply))
        return None

    async def touch(self, record: Record, seen_at: int, /) -> None:
        """See `Store.touch`."""
        life = _life(record._replace(seen_at=seen_at))
        await self._script(TOUCH, [self._key(record.id)], struct.pack(">Q", seen_at), life)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        """See `Store.end`."""
        done, old = await self._script(
            END,
            [self._key(tombstone.id)],
            expected(base),
            pack_tombstone(tombstone),
            max(1, tombstone.keep_until - tombstone.at),
            waits=True,
        )
        if not done:
            raise Conflict(unpack(tombstone.id, old))
        try:
            return unpack(tombstone.id, old)
        except Undecodable:
            return None

    async def enlist(
        self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
    ) -> list[str] | None:
        """See `Store.enlist`."""
        if record.subject is None:
            return []
        if opened_at <= int(await self._send("GET", self._index(None)[1]) or 0):
            return None
        life = record.ends_at - record.seen_at + GRACE
        over = record.seen_at - GRACE  # sessions that ended before are in the index for nothing
        most = "" if limit is None else limit
        values = (opened_at, own_bar, record.ends_at, record.id, life, over, most)
        ids = await self._script(ENLIST, self._index(record.subject), *values, waits=True)
        return None if ids == 0 else [id.decode() for id in ids]

    async def delist(self, subject: str, id: str, /) -> None:
        """See `Store.delist`."""
        await self._send("ZREM", self._index(subject)[0], id)

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        """See `Store.bar`."""
        previous, bar, ids = await self._script(BAR, self._index(subject), at, BAR_KEPT, waits=True)
        return Barred(int(previous), int(bar), [id.decode() for id in ids])

    async def is_barred(self, subject: str, since: int, /) -> bool:
        """See `Store.is_barred`."""
        keys = [self._index(whose)[1] for whose in (subject, None)]  # in two slots of a cluster
        if self.kind is Kind.BLOCKING:
            bars = [await self._send("GET", key) for key in keys]
        else:
            bars = await asyncio.gather(*(self._send("GET", key) for key in keys))
        return since <= max(int(bar or 0) for bar in bars)

    async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
        """See `Store.page`."""
        if subject is None:
            pattern = _literal(self._key("")) + "*"
            following, keys = await self._servers.scan(after, pattern, limit)
            start = len(self._key(""))
            tails = [key.decode(errors="replace")[start:] for key in keys]
            found = await self._load_all([id for id in tails if is_id(id)])
            return page_of(found, following)
        index = self._index(subject)[0]
        members = await self._send("ZRANGE", index, 0, -1)
        ids = sorted(id for id in map(bytes.decode, members) if after is None or id > after)
        chosen = ids[:limit]
        found = await self._load_all(chosen)
        if gone := [id for id, value in found.items() if value[:1] in (b"", TOMBSTONE)]:
            await self._send("ZREM", index, *gone)  # safe by G1: records come first
        return page_of(found, chosen[-1] if len(ids) > limit else None)

    async def count(self, subject: str | None, /) -> int:
        """See `Store.count`."""
        total, after = 0, None
        while True:
            page = await self.page(subject, after, 1000)
            total += len(page.records)
            if (after := page.next) is None:
                return total

    async def tally(self, key: str, now: int, until: int, /) -> int:
        """See `Store.tally`."""
        return int(await self._script(TALLY, [f"{self._prefix}:c:{key}"], max(1, until - now)))

    async def sweep(self, before: int, limit: int, /) -> int:
        """See `Store.sweep`: Redis forgets by itself."""
        return 0

    async def evicted(self) -> int:
        """See `Evicting.evicted`: keys of all masters, whoever's; 0 where `INFO` is forbidden."""
        return await self._evictions.since_last(self._servers)

    async def time(self) -> int:
        """See `Store.time`: the server's clock."""
        seconds, microseconds = await self._send("TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def close(self) -> None:
        """See `Store.close`."""
        await self._servers.close()
        if self._client is not None:
            if self.kind is Kind.BLOCKING:
                self._client.close()
            else:
                await self._client.aclose()

    async def _save_again(self, record: Record, *values: bytes | int) -> None:
        """Repeat a save whose answer was lost, which waits for the replicas again.

        A look (S4) would find it in a master that is about to forget it, and acknowledge it.

        Raises:
            Unconfirmed: there was no answer either, or nobody can tell whose save is there.
        """
        try:
            reply = await self._script(SAVE, [self._key(record.id)], *values, waits=True)
        except StoreUnavailable as error:
            raise Unconfirmed(str(error)) from error.__cause__
        if reply != 1 and not record.is_same_save(unpack(record.id, reply)):
            raise Unconfirmed("Redis: no answer to a save, and another one in its place")

    def _key(self, id: str) -> str:
        return f"{self._prefix}:s:{id}"

    def _index(self, subject: str | None) -> list[str]:
        # base64url keeps the hash tag well-formed and distinct for every subject; all have `*`, and
        # one whose name is empty `=`, as an empty tag is none
        tag = "*" if subject is None else urlsafe_b64encode(subject.encode()).decode() or "="
        return [f"{self._prefix}:u:{{{tag}}}:index", f"{self._prefix}:u:{{{tag}}}:bar"]

    async def _load_all(self, ids: list[str]) -> dict[str, bytes]:
        """Return what is stored under each id, `b""` where nothing is."""
        replies: list[Any] = []
        for start in range(0, len(ids), _AT_ONCE):
            asked = [("GET", self._key(id)) for id in ids[start : start + _AT_ONCE]]
            replies += await self._servers.send_all(asked)
        return {id: _value(reply) for id, reply in zip(ids, replies, strict=True)}

    async def _script(
        self, source: str, keys: list[str], *values: bytes | str | int, waits: bool = False
    ) -> Any:
        arguments = (len(keys), *keys, *values)
        try:
            return await self._send("EVALSHA", SHA[source], *arguments, waits=waits)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await self._send("EVAL", source, *arguments, waits=waits)


def _life(record: Record) -> int:
    """Return the key's time to live: from the activity on, with a margin.

    It may be longer than the record's, as a slow request's save comes later; the record decides.
    """
    return max(1, record.expires_at - record.seen_at + GRACE)


def _value(reply: object) -> bytes:
    """Return what a key holds, `b""` where nothing is."""
    if isinstance(reply, bytes):
        return reply
    if reply is None:
        return b""
    if isinstance(reply, StoreUnavailable):
        if isinstance(reply.__cause__, ResponseError) and "WRONGTYPE" in str(reply):
            return FOREIGN
        raise reply
    raise StoreUnavailable(f"Redis answered by {type(reply).__name__}")


def _literal(text: str) -> str:
    """Return a pattern of Redis that matches `text` only."""
    return re.sub(r"([\\*?\[\]^])", r"\\\1", text)
