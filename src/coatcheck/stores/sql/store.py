"""Sessions in PostgreSQL, MySQL or MariaDB, in tables of their own.

A load and a save are a statement each, sent by the driver itself on a connection of SQLAlchemy's
pool; what takes several is a short transaction of its own. What the tables hold is in `tables`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from coatcheck.core.policy import BAR_KEPT
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.errors import ConfigurationError, Undecodable
from coatcheck.stores.packed import expected, pack, pack_tombstone, page_of, unpack
from coatcheck.stores.protocol import Barred, Conflict, Page, refuse
from coatcheck.stores.sql.channel import Channel, Say
from coatcheck.stores.sql.drivers import LIMIT
from coatcheck.stores.sql.schema import bring_up_to_date, definitions
from coatcheck.stores.sql.statements import Statement, statements
from coatcheck.stores.sql.tables import Tables, owner, tables
from coatcheck.stores.sql.url import for_driver, without
from coatcheck.waiting import Kind

_DRIVERS = {
    ("postgresql", Kind.BLOCKING): "psycopg",
    ("postgresql", Kind.ASYNCIO): "asyncpg",
    ("mysql", Kind.BLOCKING): "pymysql",
    ("mysql", Kind.ASYNCIO): "asyncmy",
}
_SYNONYMS = {"postgres": "postgresql", "mariadb": "mysql"}
_POOL = {"pool_size": 10, "max_overflow": 0, "pool_timeout": LIMIT, "pool_reset_on_return": None}
_CONNECTING: Mapping[str, Mapping[str, Any]] = {
    "psycopg": {"connect_timeout": LIMIT},
    "asyncpg": {"timeout": LIMIT},
    "pymysql": {"connect_timeout": LIMIT, "read_timeout": LIMIT, "write_timeout": LIMIT},
    "asyncmy": {"connect_timeout": LIMIT},
}


_FORBIDDEN = {"42501", "1142"}
LOOKS = 4
"""How many batches a sweep looks at, where it finds rows that live on."""


_PREFIX = re.compile("[a-z][a-z0-9_]{0,39}")
_SWEEPING = "!sweeping"  # no owner; its row is locked by who sweeps


class SQLStore:
    """Keeps sessions in an SQL database.

    Args:
        engine: an `AsyncEngine` for `Sessions`, an `Engine` for `BlockingSessions`. How it connects
            is used, and the size of its pool, not the pool itself: nothing of an application's
            transactions is touched. An answer is waited for 2 s; how long for a connection is the
            engine's to say in threads, and `from_url` says 2 s, too. Behind PgBouncer connections
            have to be pooled by session.
        prefix: of the tables' names.

    Raises:
        ConfigurationError: the database or its driver is not supported.
    """

    def __init__(self, engine: Engine | AsyncEngine, *, prefix: str = "coatcheck") -> None:
        if not _PREFIX.fullmatch(prefix):
            raise ConfigurationError("prefix", f"{prefix!r} is no name: use a to z, 0 to 9 and _")
        self._engine, self._prefix, self._is_engine_own = engine, prefix, False
        plain = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
        self._said = said = statements(self.tables, plain.dialect)
        self._load, self._save = said["load"], said["save"]
        self._channel = Channel(plain, (said["begin"], said["commit"], said["rollback"]))
        self.kind = self._channel.kind

    @classmethod
    def from_url(cls, url: str, *, kind: Kind = Kind.ASYNCIO) -> "SQLStore":
        """Connect to `postgresql://`, `mysql://` or `mariadb://`, with a pool of 10 connections.

        Hosts of databases also write `postgres://`. A driver in the scheme, as in
        `postgresql+psycopg://`, has to be the one of its kind: psycopg or asyncpg, PyMySQL or
        asyncmy. The query sets `prefix`, `pool_size`, and the driver's own options.

        Raises:
            ConfigurationError: the URL is wrong; the password in it is not repeated.
        """
        try:
            parts = make_url(url)
        except (ArgumentError, ValueError):
            raise ConfigurationError("url", "is no URL of a database") from None
        parts, prefix = without(parts, "prefix", "coatcheck")
        parts, size = without(parts, "pool_size", str(_POOL["pool_size"]))
        if not size.isdigit() or not int(size):
            raise ConfigurationError("url", "pool_size must be a number from 1 on")
        database, _, named = parts.drivername.lower().partition("+")
        database = _SYNONYMS.get(database, database)
        driver = _DRIVERS.get((database, kind), named)
        if named not in ("", driver):
            how = "asyncio" if kind is Kind.ASYNCIO else "threads"
            said = f"names another driver than that for {how}: write {database}+{driver}://"
            raise ConfigurationError("url", f"{said}, or {database}:// alone")
        parts, options = for_driver(parts, driver)
        make: Any = create_async_engine if kind is Kind.ASYNCIO else create_engine
        try:
            engine = make(
                parts.set(drivername=f"{database}+{driver}"),
                connect_args={**_CONNECTING.get(driver, {}), **options},
                **{**_POOL, "pool_size": int(size)},
            )
        except ImportError as error:
            missing = f"coatcheck[{database}] installed, for {error.name}"
            raise ConfigurationError("url", f"needs {missing}") from None
        except (ArgumentError, NoSuchModuleError, TypeError):
            raise ConfigurationError("url", "names no database that is supported") from None
        store = cls(engine, prefix=prefix)
        store._is_engine_own = True
        return store

    async def create_tables(self) -> list[str]:
        """Make the tables, or bring those of an earlier version up to date; say what was done.

        For a command and for tests; its user may need more rights than the application's.

        Raises:
            ConfigurationError: the tables are of a newer version, or its user may not make any.
            StoreUnavailable: the database does not answer, or refuses it.
        """
        try:
            if isinstance(self._engine, AsyncEngine):
                async with self._engine.begin() as connection:
                    return await connection.run_sync(bring_up_to_date, self._prefix)
            with self._engine.begin() as connection:
                return bring_up_to_date(connection, self._prefix)
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            if self._channel.code(cause) in _FORBIDDEN:
                what = "its user may not make tables: name one that may"
                raise ConfigurationError("store", what) from None
            raise self._channel.translated(cause) from None
        finally:
            if self._is_engine_own:
                await self._dispose()

    @property
    def database(self) -> str:
        """The kind of the database: `postgresql`, or `mysql` for MariaDB too."""
        return "postgresql" if self._engine.dialect.name == "postgresql" else "mysql"

    @property
    def host(self) -> str | None:
        """Where it is, as far as the engine's URL says."""
        return self._engine.url.host

    @property
    def tables(self) -> Tables:
        """The description of the tables."""
        return tables(MetaData(), self._prefix)

    async def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Send a question of one's own, without values and percent signs, and return the rows.

        Raises:
            StoreUnavailable: the database does not answer, or refuses it.
            ConfigurationError: it is about a table that is missing.
        """
        answer = await self._channel.run(Statement(sql, ()))
        return [tuple(row) for row in answer.rows]

    async def audit(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append rows to the table of an audit trail: all of them, or none.

        Raises:
            StoreUnavailable: the database does not answer, or refuses it.
            ConfigurationError: the table is missing.
        """
        if len(rows) == 1:
            await self._channel.run(self._said["audit"], **rows[0])
            return

        async def append(say: Say) -> None:
            for row in rows:
                await say(self._said["audit"], **row)

        await self._channel.transact(append)

    def table_definitions(self) -> list[str]:
        """Return the statements that make the tables, for somebody else to run."""
        return definitions(self._engine.dialect, self._prefix)

    async def load(self, id: str, /) -> Stored:
        """See `Store.load`."""
        rows, _ = await self._channel.run(self._load, id=id)
        return _stored(id, rows)

    async def save(self, record: Record, base: Record | None, /) -> None:
        """See `Store.save`."""
        head, value = expected(record), pack(record)
        values: dict[str, Any] = {
            "id": record.id,
            "seen_at": record.seen_at,
            "idle": record.idle,
            "ends_at": record.ends_at,
            "due": record.expires_at,
            "head": head,
            "value": value,
        }
        if base is None:
            whose = None if record.subject is None else owner(record.subject)
            _, saved = await self._channel.run(self._said["create"], owner=whose, **values)
        else:
            _, saved = await self._channel.run(self._save, expected=expected(base), **values)
        if saved != 1:
            refuse(record, await self.load(record.id))

    async def touch(self, record: Record, seen_at: int, /) -> None:
        """See `Store.touch`."""
        await self._channel.run(self._said["touch"], id=record.id, seen_at=seen_at)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        """See `Store.end`."""
        id, value = tombstone.id, pack_tombstone(tombstone)
        grave: dict[str, Any] = {
            "id": id,
            "seen_at": tombstone.at,
            "idle": tombstone.keep_until - tombstone.at,
            "ends_at": tombstone.keep_until,
            "due": tombstone.keep_until,
            "value": value,
        }

        async def end(say: Say) -> Stored:
            while True:
                rows = (await say(self._said["lock"], id=id)).rows
                stored = _stored(id, rows, unreadable=base is None)
                if base is not None and not base.is_same_save(stored):
                    raise Conflict(stored)
                if isinstance(stored, Tombstone):
                    return stored
                if rows:
                    await say(self._said["bury"], **grave)
                    return stored
                if (await say(self._said["create"], owner=None, head=None, **grave)).number == 1:
                    return None

        return await self._channel.transact(end)

    async def enlist(
        self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
    ) -> list[str] | None:
        """See `Store.enlist`."""
        if (subject := record.subject) is None:
            return []
        whose = owner(subject)

        async def enlist(say: Say) -> list[str] | None:
            everybodys = (await say(self._said["bar"], owner=owner(None))).rows
            bar, last = await self._bar(say, whose)
            if opened_at <= bar != own_bar or (everybodys and opened_at <= everybodys[0][0]):
                return None
            place = max(last + 1, record.seen_at)
            await say(self._said["set_bar"], owner=whose, at=bar, place=place)
            await say(self._said["place"], id=record.id, place=place)
            if limit is None:
                return []
            ids = _ids((await say(self._said["placed"], owner=whose)).rows)
            return ids if len(ids) > limit else []

        return await self._channel.transact(enlist)

    async def is_barred(self, subject: str, since: int, /) -> bool:
        """See `Store.is_barred`."""
        whose = {"owner": owner(subject), "everybody": owner(None)}
        rows, _ = await self._channel.run(self._said["bars"], **whose)
        return since <= (rows[0][0] or 0)

    async def delist(self, subject: str, id: str, /) -> None:
        """See `Store.delist`: the row was the entry."""

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        """See `Store.bar`."""
        whose = owner(subject)

        async def bar(say: Say) -> Barred:
            previous, place = await self._bar(say, whose)
            raised = max(previous + 1, at)
            await say(self._said["set_bar"], owner=whose, at=raised, place=place)
            return Barred(
                previous, raised, _ids((await say(self._said["owned"], owner=whose)).rows)
            )

        return await self._channel.transact(bar)

    async def _bar(self, say: Say, whose: str) -> tuple[int, int]:
        """Lock a bar, and return it with the last place that was given."""
        while True:
            await say(self._said["first_bar"], owner=whose)
            for at, place in (await say(self._said["lock_bar"], owner=whose)).rows:
                return at, place

    async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
        """See `Store.page`."""
        values: dict[str, Any] = {"after": after or "", "limit": limit}
        if subject is None:
            answer = await self._channel.run(self._said["page"], **values)
        else:
            answer = await self._channel.run(self._said["page_of"], owner=owner(subject), **values)
        found = {_text(id): value for id, value, _ in answer.rows}
        seen = {_text(id): seen_at for id, _, seen_at in answer.rows}
        page = page_of(found, list(found)[-1] if len(found) == limit else None)
        records = [r._replace(seen_at=max(r.seen_at, seen[r.id])) for r in page.records]
        return page._replace(records=records)

    async def count(self, subject: str | None, /) -> int:
        """See `Store.count`."""
        if subject is None:
            answer = await self._channel.run(self._said["count"])
        else:
            answer = await self._channel.run(self._said["count_of"], owner=owner(subject))
        return int(answer.rows[0][0])

    async def tally(self, key: str, now: int, until: int, /) -> int:
        """See `Store.tally`."""
        name = owner(key)

        async def count(say: Say) -> int:
            rows = (await say(self._said["tally"], name=name, until=until)).rows
            return int((rows or (await say(self._said["tallied"], name=name)).rows)[0][0])

        return await self._channel.transact(count)

    async def sweep(self, before: int, limit: int, /) -> int:
        """See `Store.sweep`: by one worker at a time; what others change is left to the next."""

        async def sweep(say: Say) -> int:
            said, swept = self._said, 0
            if not (await say(said["try_bar"], owner=_SWEEPING)).rows:
                return 0
            await say(said["forget_counters"], before=before, limit=limit)
            old = before - BAR_KEPT
            await say(said["forget_bars"], before=old, limit=limit, kept=_SWEEPING)
            for _ in range(LOOKS):
                asked = limit - swept
                looked_at, gone = await self._sweep(say, before, asked)
                swept += gone
                if looked_at < asked or swept == limit:
                    break
            return swept

        # An insert would wait for who has the row locked, in MySQL.
        if not (await self._channel.run(self._said["bar"], owner=_SWEEPING)).rows:
            await self._channel.run(self._said["first_bar"], owner=_SWEEPING)
        return await self._channel.transact(sweep)

    async def _sweep(self, say: Say, before: int, limit: int) -> tuple[int, int]:
        """Delete what is over among the rows that are due, and postpone the rest.

        Returns how many rows it looked at, and how many records are gone.
        """
        rows = (await say(self._said["due"], before=before, limit=limit)).rows
        over = [_text(id) for id, expires_at, _ in rows if expires_at < before]
        alive = [_text(id) for id, expires_at, _ in rows if expires_at >= before]
        if over:
            await say(self._said["forget"], ids=over)
        if alive:
            await say(self._said["postpone"], ids=alive)
        gone = sum(head is not None for _, expires_at, head in rows if expires_at < before)
        return len(rows), gone

    async def time(self) -> int:
        """See `Store.time`: the server's clock."""
        return int((await self._channel.run(self._said["time"])).rows[0][0])

    async def close(self) -> None:
        """See `Store.close`."""
        await self._channel.close()

    async def _dispose(self) -> None:
        if isinstance(self._engine, AsyncEngine):
            await self._engine.dispose()
        else:
            self._engine.dispose()


def _stored(id: str, rows: Any, *, unreadable: bool = False) -> Stored:
    """Return what a row holds.

    Args:
        unreadable: take what is neither for nothing.
    """
    if not rows:
        return None
    try:
        return unpack(id, rows[0][0], rows[0][1])
    except Undecodable:
        if unreadable:
            return None
        raise


def _ids(rows: Any) -> list[str]:
    return [_text(id) for (id,) in rows]


def _text(value: str | bytes) -> str:
    """Return text that MySQL keeps as bytes."""
    return value if isinstance(value, str) else value.decode()
