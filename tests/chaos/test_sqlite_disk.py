"""An SQLite file whose disk is full or read-only, or that is taken away while it is open."""

import shutil
import sqlite3
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coatcheck import SQLiteStore
from coatcheck.core.record import Record, Tombstone
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.testing import make_record, make_tombstone, next_version
from tests.chaos.disk import Disk, mounted
from tests.chaos.killed import check


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Disk]:
    with mounted(tmp_path / "disk", "1m") as disk:
        yield disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@pytest.fixture
def looks_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store looks at its files each time, not once a second."""
    monkeypatch.setattr("coatcheck.stores.sqlite_file.LOOK_EVERY", 0)


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    opened: list[sqlite3.Connection] = []

    class Noted(sqlite3.Connection):
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            opened.append(self)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Noted))
    return opened


def delete(*paths: str) -> None:
    for path in paths:
        Path(path).unlink()


async def fill(store: SQLiteStore) -> tuple[list[Record], Record]:
    """Save until there is no room; return what was saved, and what was refused."""
    saved: list[Record] = []
    while True:
        record = make_record(payload=bytes(1_000))
        try:
            await store.save(record, None)
        except StoreUnavailable as error:
            if "full" not in str(error):
                raise
            return saved, record
        saved.append(record)


async def assert_whole(store: SQLiteStore, saved: list[Record], refused: Record) -> None:
    assert [await store.load(record.id) for record in saved] == saved
    assert await store.load(refused.id) is None
    assert await store.count(None) == len(saved)


async def test_a_full_file_refuses_what_is_new_and_keeps_what_is_there(
    path: Path, connections: list[sqlite3.Connection]
) -> None:
    """Fails when half a record is left, or the store does not recover by itself."""
    store = SQLiteStore(path)
    await store.load("opens the connection")
    connection = connections[-1]
    connection.execute("PRAGMA max_page_count = 60")
    saved, refused = await fill(store)
    await assert_whole(store, saved, refused)
    assert check(path) == "ok"
    connection.execute("PRAGMA max_page_count = 120")
    await store.save(refused, None)
    await assert_whole(store, [*saved, refused], make_record())
    await store.close()


async def test_a_full_disk_is_an_outage_for_changes_alone(disk: Disk) -> None:
    """An end that could not be kept is not acknowledged. Fails when it is, when half a change
    is left, or the store does not recover by itself.
    """
    path = disk.path / "s.db"
    store = SQLiteStore(path)
    saved, refused = await fill(store)
    with pytest.raises(StoreUnavailable, match="full"):
        await store.save(next_version(saved[0], payload=bytes(5_000)), saved[0])
    with pytest.raises(StoreUnavailable, match="full"):
        await store.end(make_tombstone(saved[1].id))
    await assert_whole(store, saved, refused)
    assert check(path) == "ok"
    disk.set("size=4m")
    await store.save(refused, None)
    await store.end(make_tombstone(saved[1].id))
    assert isinstance(await store.load(saved[1].id), Tombstone)
    assert check(path) == "ok"
    await store.close()


async def test_a_disk_that_became_read_only_is_an_outage_until_it_is_not(disk: Disk) -> None:
    """For a process that opens the file then; one that has it open keeps the disk from that.

    Fails when a store opens what it cannot write to: it would answer, and keep no end.
    """
    path = disk.path / "s.db"
    store, record = SQLiteStore(path), make_record()
    await store.save(record, None)
    await store.close()
    disk.set("ro")
    for attempt in (store.load(record.id), store.save(make_record(), None)):
        with pytest.raises(StoreUnavailable, match="Read-only"):
            await attempt
    with pytest.raises(ConfigurationError, match=r"cannot open .*Read-only"):
        SQLiteStore(path)
    disk.set("rw")
    assert await store.load(record.id) == record
    await store.save(make_record(), None)
    await store.close()


@pytest.mark.usefixtures("looks_always")
@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_a_file_that_was_deleted_is_not_written_to_any_more(path: Path, suffix: str) -> None:
    """Another process would not see it. Fails when nobody looks whether the file is still there;
    SQLite goes on with what was deleted, and acknowledges changes that are lost.
    """
    store, record = SQLiteStore(path), make_record()
    await store.save(record, None)
    delete(f"{path}{suffix}")
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.save(make_record(), None)
    late = make_record()
    await store.save(late, None)
    other = SQLiteStore(path)
    assert await other.load(late.id) == late
    assert await other.load(record.id) == (record if suffix else None)
    await other.close()
    await store.close()


@pytest.mark.usefixtures("looks_always")
async def test_a_file_that_took_the_place_of_another_is_used(path: Path) -> None:
    """A backup that was put back. Fails when the store stays with the file that it opened."""
    store, record = SQLiteStore(path), make_record()
    await store.save(record, None)
    await store.close()
    backup = path.with_name("backup.db")
    shutil.copy(path, backup)
    await store.end(make_tombstone(record.id))
    delete(f"{path}-wal", f"{path}-shm")
    backup.rename(path)
    with pytest.raises(StoreUnavailable, match="deleted or replaced"):
        await store.load(record.id)
    assert await store.load(record.id) == record
    assert check(path) == "ok"
    await store.close()


@pytest.mark.usefixtures("looks_always")
async def test_a_relative_path_is_that_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Daemons change their folder. Fails when another file is opened after that."""
    monkeypatch.chdir(tmp_path)
    store, record = SQLiteStore("sessions.db"), make_record()
    await store.save(record, None)
    monkeypatch.chdir("/")
    assert await store.load(record.id) == record
    await store.close()
    assert await store.load(record.id) == record
    await store.close()
