"""Sessions in an SQLite file: the embedded default, shared by the processes of one machine.

Statements run inline, in microseconds; a thread would cost ten times as much. A lock held by
another process is waited for inside SQLite for at most 50 ms, then by suspending (or sleeping, in a
thread), so that an event loop is never held up longer. The table is the index: a saved row is
listed, and `enlist` gives it its place in the order of the subject's sessions.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import random
from typing import Any, Concatenate, ParamSpec, TypeVar

from coatcheck.core.policy import BAR_KEPT
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.errors import ConfigurationError, StoreUnavailable, Undecodable
from coatcheck.stores.kept import Kept
from coatcheck.stores.packed import expected, pack, unpack
from coatcheck.stores.protocol import Barred, Conflict, Page, refuse
from coatcheck.stores.sqlite_file import SQLiteFile
from coatcheck.waiting import Kind, pause

T = TypeVar("T")
P = ParamSpec("P")

BUSY_INLINE = 0.05
BUSY_TOTAL = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS coatcheck_sessions (
    id TEXT PRIMARY KEY, subject TEXT, seen_at INTEGER NOT NULL, idle INTEGER NOT NULL,
    ends_at INTEGER NOT NULL, due INTEGER NOT NULL, record BLOB NOT NULL, place INTEGER
);
SELECT place FROM coatcheck_sessions LIMIT 0;
CREATE INDEX IF NOT EXISTS coatcheck_subject ON coatcheck_sessions (subject, id)
    WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS coatcheck_due ON coatcheck_sessions (due);
CREATE TABLE IF NOT EXISTS coatcheck_tombstones (
    id TEXT PRIMARY KEY, why TEXT NOT NULL, at INTEGER NOT NULL, moved_to_subject TEXT,
    keep_until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS coatcheck_tombstones_due ON coatcheck_tombstones (keep_until);
CREATE TABLE IF NOT EXISTS coatcheck_bars (subject TEXT PRIMARY KEY, at INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS coatcheck_counters (
    key TEXT PRIMARY KEY, count INTEGER NOT NULL, until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS coatcheck_counters_due ON coatcheck_counters (until);
"""
_PLACE = """
UPDATE coatcheck_sessions SET place = (
    SELECT ifnull(max(place), 0) + 1 FROM coatcheck_sessions WHERE subject = ?
) WHERE id = ?
"""
_PLACED = """
SELECT id FROM coatcheck_sessions WHERE subject = ? AND place IS NOT NULL ORDER BY place
"""
_EVERYBODY = b""  # no text, so that it is no subject
_LOAD = "SELECT record, seen_at FROM coatcheck_sessions WHERE id = ?"
_LOAD_TOMBSTONE = "SELECT * FROM coatcheck_tombstones WHERE id = ?"
_INSERT = """
INSERT OR IGNORE INTO coatcheck_sessions (id, subject, seen_at, idle, ends_at, due, record)
SELECT ?, ?, ?, ?, ?, ?, ?
WHERE NOT EXISTS (SELECT 1 FROM coatcheck_tombstones WHERE id = ?)
"""
_UPDATE = """
UPDATE coatcheck_sessions
SET seen_at = max(seen_at, ?), idle = ?, ends_at = ?, record = ?
WHERE id = ? AND substr(record, 1, 17) = ?
"""

_COUNT = """
INSERT INTO coatcheck_counters VALUES (?, 1, ?)
ON CONFLICT (key) DO UPDATE SET count = count + 1
"""

# Common saves and touches do not write `due`, so that they leave its index alone: it is when to
# look at a row again. Looking postpones those that live on.
_LOOK = """
SELECT rowid, min(seen_at + idle, ends_at) FROM coatcheck_sessions
WHERE due < ? ORDER BY due LIMIT ?
"""
_POSTPONE = "UPDATE coatcheck_sessions SET due = ? WHERE rowid = ?"
_DELETE = "DELETE FROM coatcheck_sessions WHERE rowid = ?"
_SHORTEN = "UPDATE coatcheck_sessions SET due = min(due, ?) WHERE id = ?"
LOOKS = 4
"""How many batches a sweep looks at, where it finds rows that live on."""


class SQLiteStore:
    """One file in WAL mode, with one connection that threads take turns with.

    Args:
        path: of the database file; created, readable by its owner only, when missing.
        synchronous: SQLite's setting. With `NORMAL` a crash of the process loses nothing, a loss
            of power can undo the last instants, ends included; `FULL` costs a disk flush a write.

    Raises:
        ConfigurationError: the path or the setting cannot work.
    """

    kind = Kind.EITHER

    def __init__(self, path: str | os.PathLike[str], *, synchronous: str = "NORMAL") -> None:
        path = os.fspath(path)
        if path in ("", ":memory:") or path.startswith("file:"):
            raise ConfigurationError("path", f"{path!r} is no file; for memory use memory:")
        if synchronous.upper() not in ("NORMAL", "FULL", "EXTRA"):
            raise ConfigurationError("synchronous", "is not NORMAL, FULL or EXTRA")
        self.path, self.synchronous = path, synchronous.upper()
        self._file = SQLiteFile(path, synchronous.upper(), _SCHEMA)
        self._kept = Kept(_read)
        self._contended_until = 0.0

    async def load(self, id: str, /) -> Stored:
        """See `Store.load`."""
        return await self._run(_load, id, self._kept.read)

    async def save(self, record: Record, base: Record | None, /) -> None:
        """See `Store.save`."""

        def write(db: sqlite3.Connection) -> Stored:
            id, seen_at, idle, ends_at = record.id, record.seen_at, record.idle, record.ends_at
            if base is None:
                times = seen_at, idle, ends_at, record.expires_at
                done = db.execute(_INSERT, (id, record.subject, *times, pack(record), id))
            else:
                next_ = seen_at, idle, ends_at, pack(record), id, expected(base)
                done = db.execute(_UPDATE, next_)
                if done.rowcount == 1 and (idle, ends_at) != (base.idle, base.ends_at):
                    db.execute(_SHORTEN, (record.expires_at, id))
            return record if done.rowcount == 1 else _load(db, id)

        refuse(record, await self._run(write))

    async def touch(self, record: Record, seen_at: int, /) -> None:
        """See `Store.touch`."""
        statement = "UPDATE coatcheck_sessions SET seen_at = ? WHERE id = ? AND seen_at < ?"
        await self._run(lambda db: db.execute(statement, (seen_at, record.id, seen_at)))

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        """See `Store.end`."""

        def write(db: sqlite3.Connection) -> Stored:
            with _transaction(db):
                stored = _load(db, tombstone.id, _read if base else _readable)
                if base is not None and not base.is_same_save(stored):
                    raise Conflict(stored)
                db.execute("DELETE FROM coatcheck_sessions WHERE id = ?", (tombstone.id,))
                db.execute(
                    "INSERT OR IGNORE INTO coatcheck_tombstones VALUES (?,?,?,?,?)", tombstone
                )
                return stored

        return await self._run(write)

    async def enlist(
        self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
    ) -> list[str] | None:
        """See `Store.enlist`."""
        subject = record.subject
        if subject is None:
            return []

        def write(db: sqlite3.Connection) -> list[str] | None:
            with _transaction(db):
                if opened_at <= _bar(db, subject) != own_bar or opened_at <= _bar(db, _EVERYBODY):
                    return None
                db.execute(_PLACE, (subject, record.id))
                if limit is None:
                    return []
                ids = [id for (id,) in db.execute(_PLACED, (subject,))]
                return ids if len(ids) > limit else []

        return await self._run(write)

    async def delist(self, subject: str, id: str, /) -> None:
        """See `Store.delist`: the row was the entry."""

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        """See `Store.bar`."""
        whose = _EVERYBODY if subject is None else subject

        def write(db: sqlite3.Connection) -> Barred:
            with _transaction(db):
                previous = _bar(db, whose)
                bar = max(previous + 1, at)
                db.execute("INSERT OR REPLACE INTO coatcheck_bars VALUES (?, ?)", (whose, bar))
                ids = db.execute("SELECT id FROM coatcheck_sessions WHERE subject = ?", (subject,))
                return Barred(previous, bar, [id for (id,) in ids])

        return await self._run(write)

    async def is_barred(self, subject: str, since: int, /) -> bool:
        """See `Store.is_barred`."""
        return since <= await self._run(lambda db: max(_bar(db, subject), _bar(db, _EVERYBODY)))

    async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
        """See `Store.page`."""
        where = "id > ?" if subject is None else "id > ? AND subject = ?"
        statement = (
            f"SELECT id, record, seen_at FROM coatcheck_sessions WHERE {where} ORDER BY id LIMIT ?"  # noqa: S608 - no input in it
        )
        values = (after or "", *([] if subject is None else [subject]), limit)
        rows = await self._run(lambda db: db.execute(statement, values).fetchall())
        records = [record for row in rows if (record := _readable(*row))]
        ids = [row[0] for row in rows if isinstance(row[0], str)]  # a damaged one is no place
        unreadable = set(ids) - {record.id for record in records}
        return Page(records, ids[-1] if ids and len(rows) == limit else None, sorted(unreadable))

    async def count(self, subject: str | None, /) -> int:
        """See `Store.count`."""
        where, values = ("1", []) if subject is None else ("subject = ?", [subject])
        statement = f"SELECT count(*) FROM coatcheck_sessions WHERE {where}"  # noqa: S608 - no input in it
        return int((await self._run(lambda db: db.execute(statement, values).fetchone()))[0])

    async def tally(self, key: str, now: int, until: int, /) -> int:
        """See `Store.tally`."""

        def write(db: sqlite3.Connection) -> int:
            with _transaction(db):
                db.execute(_COUNT, (key, until))
                row = db.execute("SELECT count FROM coatcheck_counters WHERE key = ?", (key,))
                return int(row.fetchone()[0])

        return await self._run(write)

    async def sweep(self, before: int, limit: int, /) -> int:
        """See `Store.sweep`."""

        def write(db: sqlite3.Connection) -> int:
            db.execute(
                "DELETE FROM coatcheck_tombstones WHERE id IN "
                "(SELECT id FROM coatcheck_tombstones WHERE keep_until < ? LIMIT ?)",
                (before, limit),
            )
            db.execute(
                "DELETE FROM coatcheck_bars WHERE subject IN "
                "(SELECT subject FROM coatcheck_bars WHERE at < ? LIMIT ?)",
                (before - BAR_KEPT, limit),
            )
            db.execute(
                "DELETE FROM coatcheck_counters WHERE key IN "
                "(SELECT key FROM coatcheck_counters WHERE until < ? LIMIT ?)",
                (before, limit),
            )
            swept = 0
            for _ in range(LOOKS):
                asked = limit - swept
                looked_at, gone = _sweep(db, before, asked)
                swept += gone
                if looked_at < asked or swept == limit:
                    break
            return swept

        return await self._run(write)

    async def time(self) -> int:
        """See `Store.time`: this machine's clock."""
        return time.time_ns() // 1_000_000

    async def close(self) -> None:
        """See `Store.close`."""
        self._file.close()

    async def _run(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do `work`, again and again while another process holds the lock, up to a limit."""
        try:
            return self._file.run(work, self._patience(), *args, **kwargs)
        except (sqlite3.Error, OSError) as error:  # it may have to open the file again
            return await self._run_again(lambda db: work(db, *args, **kwargs), error)

    async def _run_again(
        self, work: Callable[[sqlite3.Connection], T], error: sqlite3.Error | OSError
    ) -> T:
        waited = 0.0
        while True:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or waited > BUSY_TOTAL:
                raise StoreUnavailable(f"SQLite: {error}") from error
            waited += self._patience()
            self._contended_until = time.monotonic() + 1
            delay = 0.005 + 0.02 * random()  # noqa: S311 - jitter, not a secret
            await pause(delay)
            waited += delay
            try:
                return self._file.run(work, self._patience())
            except (sqlite3.Error, OSError) as another:
                error = another

    def _patience(self) -> float:
        """Return how long SQLite may wait for a lock, in seconds.

        Once somebody waited in vain, nobody lets it wait for a while, so that many requests that
        meet a lock hold the event loop up only once.
        """
        if self._contended_until and time.monotonic() < self._contended_until:
            return 0.0
        return BUSY_INLINE


def _bar(db: sqlite3.Connection, whose: str | bytes) -> int:
    row = db.execute("SELECT at FROM coatcheck_bars WHERE subject = ?", (whose,)).fetchone()
    return row[0] if row else 0


def _sweep(db: sqlite3.Connection, before: int, limit: int) -> tuple[int, int]:
    """Delete what is over among the rows that are due, and postpone the rest.

    Returns how many rows it looked at, and how many are gone.
    """
    with _transaction(db):
        rows = db.execute(_LOOK, (before, limit)).fetchall()
        gone = [(row,) for row, expires_at in rows if expires_at < before]
        db.executemany(_DELETE, gone)
        db.executemany(_POSTPONE, [(at, row) for row, at in rows if at >= before])
    return len(rows), len(gone)


@contextmanager
def _transaction(db: sqlite3.Connection) -> Generator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _read(id: str, record: Any, seen_at: Any) -> Record:
    """Return the record of a row.

    Raises:
        Undecodable: it is damaged; SQLite keeps values of any type in any column.
    """
    if isinstance(record, bytes) and isinstance(seen_at, int):
        stored = unpack(id, record, seen_at)
        if isinstance(stored, Record):
            return stored
    raise Undecodable(f"row {id} of coatcheck_sessions is damaged")


def _readable(id: str, record: Any, seen_at: Any) -> Record | None:
    try:
        return _read(id, record, seen_at)
    except Undecodable:
        return None


def _load(db: sqlite3.Connection, id: str, read: Callable[..., Record | None] = _read) -> Stored:
    if row := db.execute(_LOAD, (id,)).fetchone():
        return read(id, *row)
    row = db.execute(_LOAD_TOMBSTONE, (id,)).fetchone()
    return Tombstone(*row) if row else None
