"""Sessions in Redis or Valkey (7 or later), by redis-py's blocking or asyncio client.

A session is one string: a load is one GET, and each write one small script on one key, atomic in a
cluster too. The key's time to live is a duration with a margin; the record decides about expiry. A
subject's index is a sorted set, its bar a string in the same slot. An entry's score is when its
session ends at the latest, but above all that were there, so that it is the order of G4, too.

With asyncio the commands of one turn of the event loop leave together (`redis_batch`); a thread has
one command at a time to send, on a connection that the client's pool has lent (`redis_loans`).
"""

import asyncio
import contextlib
import re
import struct
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha1
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

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
from coatcheck.stores.protocol import Barred, Conflict, Page, refuse
from coatcheck.stores.redis_batch import Batches, unavailable
from coatcheck.stores.redis_loans import Loans
from coatcheck.waiting import Kind

_DEFAULTS = {"socket_timeout": 2, "socket_connect_timeout": 2, "max_connections": 32}

_SAVE = """
local head = redis.call('GETRANGE', KEYS[1], 0, 24)
if ARGV[1] == '' then
    if head ~= '' then return redis.call('GET', KEYS[1]) end
elseif string.sub(head, 1, 17) ~= ARGV[1] then
    return redis.call('GET', KEYS[1])
end
local value, life = ARGV[2], tonumber(ARGV[3])
if head ~= '' and struct.unpack('>I8', head, 18) > struct.unpack('>I8', value, 18) then
    value = string.sub(value, 1, 17) .. string.sub(head, 18, 25) .. string.sub(value, 26)
    life = math.max(life, redis.call('PTTL', KEYS[1]))
end
redis.call('SET', KEYS[1], value, 'PX', life)
return 1
"""
_TOUCH = """
local head = redis.call('GETRANGE', KEYS[1], 0, 24)
if string.sub(head, 1, 1) ~= 'R' then return 0 end
if struct.unpack('>I8', head, 18) < struct.unpack('>I8', ARGV[1]) then
    redis.call('SETRANGE', KEYS[1], 17, ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[2], 'GT')
end
return 1
"""
_END = """
local old = redis.call('GET', KEYS[1])
if ARGV[1] ~= '' and string.sub(old or '', 1, 17) ~= ARGV[1] then return {0, old} end
if string.sub(old or '', 1, 1) ~= 'T' then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return {1, old}
"""
_ENLIST = """
local bar = tonumber(redis.call('GET', KEYS[2]) or '0')
if bar >= tonumber(ARGV[1]) and bar ~= tonumber(ARGV[2]) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[6])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
local score = tonumber(ARGV[3])
if last[1] and last[1] ~= ARGV[4] then score = math.max(score, tonumber(last[2]) + 1) end
redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', score), ARGV[4])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[5]) then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
if ARGV[7] == '' or redis.call('ZCARD', KEYS[1]) <= tonumber(ARGV[7]) then return {} end
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
_BAR = """
local previous = tonumber(redis.call('GET', KEYS[2]) or '0')
local bar = math.max(previous + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[2], string.format('%.0f', bar), 'PX', ARGV[2])
return {previous, bar, redis.call('ZRANGE', KEYS[1], 0, -1)}
"""
_TALLY = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count
"""
# Redis names scripts by their SHA-1.
_SHA = {
    source: sha1(source.encode(), usedforsecurity=False).hexdigest()
    for source in (_SAVE, _TOUCH, _END, _ENLIST, _BAR, _TALLY)
}


class Wire(NamedTuple):
    """How the server is reached; `host` is `None` for a Unix socket."""

    host: str | None
    is_encrypted: bool
    has_password: bool


class RedisStore:
    """Keeps sessions in Redis.

    Args:
        client: of `redis.asyncio` for `Sessions`, of `redis` for `BlockingSessions`; with bytes as
            replies and without retries of its own (S4). `from_url` makes a fitting one.
        prefix: of all keys, to keep applications in one database apart.

    Raises:
        ConfigurationError: the client does not fit.
    """

    def __init__(
        self, client: "redis.Redis | redis.asyncio.Redis", *, prefix: str = "coatcheck"
    ) -> None:
        driver: Any = client  # what one type of client returns, the other awaits
        if isinstance(client, redis.asyncio.Redis):
            self.kind = Kind.ASYNCIO
        elif isinstance(driver, redis.Redis):
            self.kind = Kind.BLOCKING
        else:
            raise ConfigurationError("client", f"{type(client).__name__} is no redis-py client")
        settings = cast("dict[str, Any]", driver.connection_pool.connection_kwargs)
        if settings.get("decode_responses"):
            raise ConfigurationError("client", "set decode_responses=False, records are bytes")
        retry = settings.get("retry")
        if retry is not None and (not hasattr(retry, "get_retries") or retry.get_retries() != 0):
            raise ConfigurationError(
                "client",
                "set retry=Retry(NoBackoff(), 0): a driver that repeats a save without asking can "
                "apply it twice; coatcheck repeats what is safe to repeat",
            )
        self._client: Any = client
        self._prefix = prefix
        self._loans = Loans(driver.connection_pool)
        self._batches: Batches | None = None

    @classmethod
    def from_url(cls, url: str, *, kind: Kind = Kind.ASYNCIO) -> "RedisStore":
        """Connect to `redis://`, `rediss://` or `unix://`, with a pool of at most 32 connections.

        The query sets `prefix`, and redis-py's own options: `socket_timeout` and
        `socket_connect_timeout` (seconds, 2 unless given), `max_connections`.

        Raises:
            ConfigurationError: the URL is wrong; the password in it is not repeated.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ConfigurationError("url", "is no URL") from None
        if parts.scheme != "unix" and parts.path.strip("/") and not parts.path[1:].isdigit():
            raise ConfigurationError("url", "the database after the host must be a number")
        query = dict(parse_qsl(parts.query))
        prefix = query.pop("prefix", "coatcheck")
        options: dict[str, Any] = {
            name: value for name, value in _DEFAULTS.items() if name not in query
        }
        module: Any = redis.asyncio if kind is Kind.ASYNCIO else redis
        if hasattr(module.ConnectionPool, "maint_notifications_enabled"):
            # With them a pool hands out connections that a restart of Redis has closed.
            options["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
        plain = urlunsplit(parts._replace(query=urlencode(query)))
        try:
            pool = module.BlockingConnectionPool.from_url(
                plain,
                retry=module.retry.Retry(NoBackoff(), 0),
                timeout=2,
                **options,
            )
            pool.connection_class(**pool.connection_kwargs)  # names what it does not know
        except (ValueError, TypeError, AttributeError, RedisError) as error:
            option = re.search(r"argument '(\w+)'|for '(\w+)'", str(error))
            named = f": look at {option[1] or option[2]}" if option else ""
            raise ConfigurationError("url", f"is no Redis URL{named}") from None
        settings = pool.connection_kwargs
        for setting in ("socket_timeout", "socket_connect_timeout"):
            if not settings.get(setting) or settings[setting] <= 0:
                raise ConfigurationError("url", f"{setting} must be more than 0 seconds")
        return cls(module.Redis.from_pool(pool), prefix=prefix)

    @property
    def wire(self) -> Wire:
        """How the server is reached."""
        pool = self._client.connection_pool
        settings = cast("dict[str, Any]", pool.connection_kwargs)
        has_password = bool(settings.get("password") or settings.get("credential_provider"))
        tls = (redis.SSLConnection, redis.asyncio.SSLConnection)
        host = None if settings.get("path") else settings.get("host", "localhost")
        return Wire(host, issubclass(pool.connection_class, tls), has_password)

    async def ask(self, *command: bytes | str | int) -> Any:
        """Send a command of one's own, such as `INFO`, and return the reply.

        Raises:
            StoreUnavailable: the server does not answer, or refuses it.
        """
        return await self._send(*command)

    async def load(self, id: str, /) -> Stored:
        """See `Store.load`."""
        return unpack(id, await self._send("GET", self._key(id)))

    async def save(self, record: Record, base: Record | None, /) -> None:
        """See `Store.save`."""
        reply = await self._script(
            _SAVE, [self._key(record.id)], expected(base), pack(record), _life(record)
        )
        if reply != 1:
            refuse(record, unpack(record.id, reply))

    async def touch(self, record: Record, seen_at: int, /) -> None:
        """See `Store.touch`."""
        life = _life(record._replace(seen_at=seen_at))
        await self._script(_TOUCH, [self._key(record.id)], struct.pack(">Q", seen_at), life)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        """See `Store.end`."""
        done, old = await self._script(
            _END,
            [self._key(tombstone.id)],
            expected(base),
            pack_tombstone(tombstone),
            max(1, tombstone.keep_until - tombstone.at),
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
        ids = await self._script(_ENLIST, self._index(record.subject), *values)
        return None if ids == 0 else [id.decode() for id in ids]

    async def delist(self, subject: str, id: str, /) -> None:
        """See `Store.delist`."""
        await self._send("ZREM", self._index(subject)[0], id)

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        """See `Store.bar`."""
        previous, bar, ids = await self._script(_BAR, self._index(subject), at, BAR_KEPT)
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
            cursor, keys = await self._do(self._client.scan, after or "0", pattern, limit)
            start = len(self._key(""))
            tails = [key.decode(errors="replace")[start:] for key in keys]
            found = await self._load_all([id for id in tails if is_id(id)])
            return page_of(found, str(cursor) if cursor else None)
        index = self._index(subject)[0]
        members = await self._do(self._client.zrange, index, 0, -1)
        ids = sorted(id for id in map(bytes.decode, members) if after is None or id > after)
        chosen = ids[:limit]
        found = await self._load_all(chosen)
        if gone := [id for id, value in found.items() if value[:1] in (b"", TOMBSTONE)]:
            await self._do(self._client.zrem, index, *gone)  # safe by G1: records come first
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
        return int(await self._script(_TALLY, [f"{self._prefix}:c:{key}"], max(1, until - now)))

    async def sweep(self, before: int, limit: int, /) -> int:
        """See `Store.sweep`: Redis forgets by itself."""
        return 0

    async def time(self) -> int:
        """See `Store.time`: the server's clock."""
        seconds, microseconds = await self._send("TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def close(self) -> None:
        """See `Store.close`."""
        if self.kind is Kind.BLOCKING:
            self._loans.close()
            await self._do(self._client.close)
        else:
            batches = await self._enter()
            await batches.close()
            await self._do(self._client.aclose)

    def _key(self, id: str) -> str:
        return f"{self._prefix}:s:{id}"

    def _index(self, subject: str | None) -> list[str]:
        # base64url keeps the hash tag well-formed and distinct for every subject; all have `*`
        tag = "*" if subject is None else urlsafe_b64encode(subject.encode()).decode()
        return [f"{self._prefix}:u:{{{tag}}}:index", f"{self._prefix}:u:{{{tag}}}:bar"]

    async def _load_all(self, ids: list[str]) -> dict[str, bytes]:
        """Return what is stored under each id, `b""` where nothing is."""
        if not ids:
            return {}
        pipeline = self._client.pipeline(transaction=False)
        for id in ids:
            pipeline.get(self._key(id))
        values = await self._do(pipeline.execute, False)  # an error is one key's
        return {id: _value(value) for id, value in zip(ids, values, strict=True)}

    async def _script(self, source: str, keys: list[str], *values: bytes | str | int) -> Any:
        arguments = (len(keys), *keys, *values)
        try:
            return await self._send("EVALSHA", _SHA[source], *arguments)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await self._send("EVAL", source, *arguments)

    async def _send(self, *command: bytes | str | int) -> Any:
        """Send one command, in asyncio with those of others."""
        if self.kind is Kind.BLOCKING:
            return await self._do(self._loans.send, command)
        batches = self._batches
        if batches is None or batches.loop is not asyncio.get_running_loop():
            batches = await self._enter()
        return await batches.send(*command)

    async def _do(self, command: Callable[..., Any], *arguments: Any) -> Any:
        """Run a command of either client; its errors become `StoreUnavailable`."""
        try:
            if self.kind is Kind.BLOCKING:
                return command(*arguments)
            await self._enter()
            return await command(*arguments)
        except (RedisError, OSError) as error:
            raise unavailable(error) from error

    async def _enter(self) -> Batches:
        """Return the batches of the running event loop, whose connections the pool has then.

        A connection lives and dies with the loop that opened it.
        """
        loop, pool = asyncio.get_running_loop(), self._client.connection_pool
        if self._batches is not None and self._batches.loop is not loop:
            with contextlib.suppress(RuntimeError, RedisError):  # that loop may be closed
                await pool.disconnect(inuse_connections=False)
        if self._batches is None or self._batches.loop is not loop:
            self._batches = Batches(pool, loop)
        return self._batches


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
    if isinstance(reply, ResponseError) and "WRONGTYPE" in str(reply):
        return FOREIGN
    raise StoreUnavailable(f"Redis: {reply}")


def _literal(text: str) -> str:
    """Return a pattern of Redis that matches `text` only."""
    return re.sub(r"([\\*?\[\]^])", r"\\\1", text)
