"""What is SQLite's own: the file, its settings, and that no statement reads a whole table."""

import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coatcheck import SQLiteStore
from coatcheck.core.policy import BAR_KEPT
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.protocol import Conflict
from coatcheck.testing import make_record, make_tombstone, next_version


class Connection(sqlite3.Connection):
    """Notes what it executes."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.noted: list[tuple[str, Any]] = []

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self.noted.append((sql, parameters))
        return super().execute(sql, parameters)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
async def connect(path: Path) -> AsyncGenerator[Callable[..., SQLiteStore]]:
    """Makes stores of the one file, and closes them."""
    async with AsyncExitStack() as opened:

        def connect(**settings: Any) -> SQLiteStore:
            store = SQLiteStore(path, **settings)
            opened.push_async_callback(store.close)
            return store

        yield connect


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections that stores open; the last is the one in use."""
    opened: list[Connection] = []

    def connect(*arguments: Any, **settings: Any) -> Connection:
        opened.append(Connection(*arguments, **settings))
        return opened[-1]

    monkeypatch.setattr("coatcheck.stores.sqlite_file.sqlite3.connect", connect)
    return opened


@pytest.fixture
def any_umask() -> Generator[None]:
    """A process that would let everybody read and write its files."""
    before = os.umask(0)
    yield
    os.umask(before)


def counter(path: Path, table: str) -> Callable[[], int]:
    def count() -> int:
        with closing(sqlite3.Connection(path)) as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608

    return count


async def test_no_listing_and_no_sweep_reads_a_whole_table(
    connect: Callable[..., SQLiteStore], connections: list[Connection]
) -> None:
    """Fails when an index is left out, or a statement no longer says what the index is over."""
    store = connect()
    await store.load("opens the connection")
    db = connections[-1]
    steps: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("coatcheck_subject", partial(store.page, "alice", None, 10)),
        ("coatcheck_subject", partial(store.count, "alice")),
        ("coatcheck_subject", partial(store.bar, "alice", 1)),
        ("coatcheck_due", partial(store.sweep, 1, 10)),
    ]
    for index, step in steps:
        db.noted.clear()
        await step()
        noted = [(sql, values) for sql, values in db.noted if "coatcheck_sessions" in sql]
        assert noted, step
        for sql, values in noted:
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
            assert any("USING" in line and f"INDEX {index}" in line for line in plan), plan
            assert not any(line.startswith("SCAN coatcheck_sessions") for line in plan), plan


@pytest.mark.usefixtures("any_umask")
async def test_only_its_owner_reads_the_file(
    path: Path, connect: Callable[..., SQLiteStore]
) -> None:
    """Fails when SQLite itself creates the file."""
    store = connect()
    await store.save(make_record(), None)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys([path.name, f"{path.name}-wal", f"{path.name}-shm"], 0o600)


@pytest.mark.parametrize(("setting", "number"), [("NORMAL", 1), ("full", 2), ("EXTRA", 3)])
async def test_its_settings_are_those_of_the_connection(
    connect: Callable[..., SQLiteStore], connections: list[Connection], setting: str, number: int
) -> None:
    """Fails when a connection is not told; SQLite's own default is FULL."""
    store = connect(synchronous=setting)
    await store.load("opens the connection")
    assert connections[-1].execute("PRAGMA synchronous").fetchone() == (number,)
    assert connections[-1].execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_store_is_normal_unless_told_otherwise(
    connect: Callable[..., SQLiteStore], connections: list[Connection]
) -> None:
    """Fails when the default is another; it is what the docs promise of a crash."""
    store = connect()
    await store.load("opens the connection")
    assert connections[-1].execute("PRAGMA synchronous").fetchone() == (1,)


async def test_what_lives_on_is_looked_at_once_and_swept_when_it_is_over(
    path: Path, connect: Callable[..., SQLiteStore]
) -> None:
    """Fails when saves and touches that leave `due` alone keep a row, or have it looked at again
    by each sweep."""
    store, left = connect(), counter(path, "coatcheck_sessions")
    due = counter(path, "coatcheck_sessions WHERE due <= 2000")
    touched, saved = (make_record(seen_at=1_000, idle=1_000, ends_at=99_000) for _ in range(2))
    for record in (touched, saved):
        await store.save(record, None)
    await store.touch(touched, 5_000)
    await store.save(next_version(saved)._replace(seen_at=5_000), saved)
    assert (due(), await store.sweep(3_000, 10), left(), due()) == (2, 0, 2, 0)
    assert (await store.sweep(6_001, 10), left()) == (2, 0)


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


async def test_a_file_that_cannot_be_opened_again_is_an_outage(
    path: Path, connect: Callable[..., SQLiteStore]
) -> None:
    """Fails when what the system says of the file leaves the store as it is."""
    store = connect()
    await store.close()
    replace_by_a_folder(path)
    with pytest.raises(StoreUnavailable):
        await store.load("x")


async def test_shorter_limits_count_from_the_save_that_brings_them(
    connect: Callable[..., SQLiteStore],
) -> None:
    """Fails when a row is kept for as long as it was granted first."""
    store, day = connect(), 86_400_000
    long = make_record(seen_at=0, idle=30 * day, ends_at=90 * day)
    await store.save(long, None)
    await store.save(next_version(long)._replace(seen_at=0, idle=1_000, ends_at=2_000), long)
    assert await store.sweep(day, 10) == 1


async def test_many_that_live_on_do_not_keep_the_dead(connect: Callable[..., SQLiteStore]) -> None:
    """Fails when a sweep stops at the first batch that holds none to delete."""
    store = connect()
    for _ in range(25):
        record = make_record(seen_at=1_000, idle=1_000, ends_at=99_000)
        await store.save(record, None)
        await store.touch(record, 50_000)
    await store.save(make_record(seen_at=1_500, idle=1_000, ends_at=99_000), None)
    assert await store.sweep(3_000, 10) == 1


async def test_tombstones_are_swept_in_bounded_batches(
    path: Path, connect: Callable[..., SQLiteStore]
) -> None:
    """Fails when their deletion has no limit, or does not happen."""
    store, left = connect(), counter(path, "coatcheck_tombstones")
    over, stands = [make_tombstone(f"over{n}") for n in range(5)], make_tombstone("stands")
    for tombstone in over:
        await store.end(tombstone._replace(keep_until=tombstone.at - 1))
    await store.end(stands)
    assert [(await store.sweep(stands.at, 2), left()) for _ in range(4)] == [
        (0, 4), (0, 2), (0, 1), (0, 1),
    ]  # fmt: skip
    assert await store.load(stands.id) == stands


async def test_bars_are_kept_a_day_and_swept_in_bounded_batches(
    path: Path, connect: Callable[..., SQLiteStore]
) -> None:
    """Fails when their deletion has no limit, does not happen, or comes early."""
    store, left = connect(), counter(path, "coatcheck_bars")
    now = BAR_KEPT * 10
    for n in range(5):
        await store.bar(f"over{n}", now - BAR_KEPT - 1)
    await store.bar("alice", now - BAR_KEPT)
    assert [(await store.sweep(now, 2), left()) for _ in range(4)] == [
        (0, 4), (0, 2), (0, 1), (0, 1),
    ]  # fmt: skip
    assert await store.enlist(make_record(subject="alice"), now - BAR_KEPT, 0) is None


async def test_what_was_stored_is_there_when_the_file_is_opened_again(
    connect: Callable[..., SQLiteStore],
) -> None:
    """Fails when opening empties a file, or closing undoes what was written."""
    record, tombstone = make_record(subject="alice"), make_tombstone(make_record().id)
    store = connect()
    await store.save(record, None)
    await store.end(tombstone)
    await store.bar("alice", 5_000)
    await store.close()
    store = connect()
    assert await store.load(record.id) == record
    assert await store.load(tombstone.id) == tombstone
    assert await store.bar("alice", 1) == (5_000, 5_001, [record.id])


async def test_two_stores_of_one_file_see_each_other(
    connect: Callable[..., SQLiteStore],
) -> None:
    """Fails when a store keeps what it read, or a transaction open."""
    one, other = connect(), connect()
    first = make_record(subject="alice")
    second, late = next_version(first), next_version(first)
    await one.save(first, None)
    assert await other.load(first.id) == first
    await other.save(second, first)
    with pytest.raises(Conflict) as refused:
        await one.save(late, first)
    assert refused.value.stored == second
    assert await one.load(first.id) == second
    tombstone = make_tombstone(first.id)
    assert await other.end(tombstone) == second
    assert await one.load(first.id) == tombstone
    assert await one.count("alice") == 0


def test_a_file_of_another_layout_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE coatcheck_sessions (id TEXT PRIMARY KEY, payload BLOB)")
    db.close()
    with pytest.raises(ConfigurationError, match="of another layout: move it away"):
        SQLiteStore(str(path))
