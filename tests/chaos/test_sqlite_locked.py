"""Other connections, threads, processes and forked children at the same SQLite file."""

import asyncio
import gc
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coatcheck import BlockingSessions, SQLiteStore
from coatcheck.errors import StoreUnavailable
from coatcheck.testing import make_record
from coatcheck.waiting import finish
from tests.chaos.forks import opened
from tests.chaos.parts import count, running, said, tell

PATIENCE = "coatcheck.stores.sqlite.BUSY_TOTAL"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.db"


@contextmanager
def locked(path: Path, how: str = "IMMEDIATE") -> Generator[sqlite3.Connection]:
    """Hold the write lock, as another process in the midst of a transaction does."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"BEGIN {how}")
    try:
        yield other
    finally:
        other.close()


class Waits:
    """How long SQLite waited in vain for a lock, in each turn of the event loop, milliseconds.

    As long as it was told to wait: a clock would tell of a slow machine as well.
    """

    def __init__(self) -> None:
        self._turns: list[list[int]] = [[]]

    def add(self, milliseconds: int) -> None:
        self._turns[-1].append(milliseconds)

    @property
    def number(self) -> int:
        return sum(map(len, self._turns))

    @property
    def longest(self) -> int:
        """The longest that they held one turn up."""
        return max(map(sum, self._turns))

    async def reach(self, number: int, work: "asyncio.Future[Any]") -> None:
        """Turn the event loop until there were so many, or the work that waits is done."""
        while self.number < number and not work.done():
            self._turns.append([])
            await asyncio.sleep(0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """The waits of all connections that are made from now on."""
    waits = Waits()

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            try:
                return super().execute(sql, parameters)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                    waits.add(*super().execute("PRAGMA busy_timeout").fetchone())
                raise

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    return waits


@pytest.mark.parametrize("requests", [1, 20])
async def test_requests_that_wait_for_the_lock_hold_the_event_loop_up_only_shortly(
    path: Path, waits: Waits, requests: int
) -> None:
    """All of them together, for the 50 ms that one may; the event loop itself gives the lock back.

    Fails when SQLite itself waits for the lock, for its five seconds, and when each of many lets it
    wait: the event loop is held up by one after another.
    """
    store, records = SQLiteStore(path), [make_record() for _ in range(requests)]
    with locked(path) as other:
        saves = asyncio.gather(*(store.save(record, None) for record in records))
        await waits.reach(10 * requests, saves)
        assert not saves.done()
        other.execute("COMMIT")
        await saves
    assert waits.longest == 50
    assert [await store.load(record.id) for record in records] == records
    await store.close()


async def test_a_file_that_is_opened_under_a_lock_holds_the_event_loop_up_only_shortly(
    path: Path,
) -> None:
    """As when a process starts, and after a fork.

    Fails when a new connection waits for its five seconds, again and again.
    """
    store, record = SQLiteStore(path), make_record()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    saving = asyncio.create_task(store.save(record, None))
    await asyncio.sleep(0)
    assert time.monotonic() - begun < 2
    assert not saving.done()
    other.close()
    await saving
    assert await store.load(record.id) == record
    await store.close()


async def test_reads_do_not_wait_for_a_writer(path: Path, waits: Waits) -> None:
    """Fails without write-ahead logging."""
    store, record = SQLiteStore(path), make_record()
    await store.save(record, None)
    with locked(path, "EXCLUSIVE") as other:
        other.execute("DELETE FROM coatcheck_sessions")
        assert await store.load(record.id) == record
    assert waits.number == 0
    await store.close()


async def test_a_lock_that_stays_is_unavailable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was saved, and the store works once the lock is gone.

    Fails when the wait has no end, or a locked database is taken for an empty one.
    """
    monkeypatch.setattr(PATIENCE, 0.1)
    store, record = SQLiteStore(path), make_record()
    with locked(path):
        with pytest.raises(StoreUnavailable, match="locked"):
            async with asyncio.timeout(60):
                await store.save(record, None)
        assert await store.load(record.id) is None
    await store.save(record, None)
    assert await store.load(record.id) == record
    await store.close()


def test_a_thread_waits_for_the_lock_too(path: Path) -> None:
    """Fails when only asyncio may wait."""
    store, record = SQLiteStore(path), make_record()
    with locked(path) as other:
        thread = threading.Thread(target=lambda: finish(store.save(record, None)))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        other.execute("COMMIT")
        thread.join(60)
    assert finish(store.load(record.id)) == record
    finish(store.close())


def test_a_thread_for_each_request_leaves_no_connection_open(path: Path) -> None:
    """Fails when a connection outlives the thread that it was opened for."""
    sessions, log = BlockingSessions(SQLiteStore(path)), f"{path}-wal"
    request(sessions)
    gc.disable()  # what only the collector finds would be open for a while
    try:
        before = opened(log)
        for _ in range(20):
            thread = threading.Thread(target=request, args=(sessions,))
            thread.start()
            thread.join()
        assert opened(log) == before
    finally:
        gc.enable()
        sessions.close()
    assert sessions.count() == 21


def request(sessions: BlockingSessions) -> None:
    session = sessions.open(None)
    session["seen"] = True
    sessions.commit(session)


def test_many_processes_may_open_a_new_file_at_once(path: Path) -> None:
    """Somebody else is creating it already, so that every one of them meets a lock.

    Fails when opening does not wait for whoever else opens.
    """
    with ExitStack() as stack:
        starters = [stack.enter_context(running("start", path)) for _ in range(8)]
        assert [said(starter) for starter in starters] == ["ready"] * 8
        with locked(path) as other:
            for starter in starters:
                tell(starter)
            time.sleep(0.2)
            other.execute("COMMIT")
        assert [starter.wait(30) for starter in starters] == [0] * 8
    assert count(path) == 80


def test_a_forked_child_opens_a_connection_of_its_own(path: Path) -> None:
    """Fails when a child goes on with its parent's connection."""
    with running("fork", path) as parent:
        assert said(parent) == "1"
        assert parent.wait(30) == 0
    assert count(path) == 30


@pytest.mark.parametrize("end", ["leave", "close"])
def test_a_child_that_outlives_its_parents_connection_loses_nothing(path: Path, end: str) -> None:
    """A child inherits SQLite's notes of its parent's locks, but not the locks.

    Fails when a connection is open at the fork: the parent's last close then removes the
    write-ahead log that the child goes on with.
    """
    with running(end, path) as parent:
        if end == "leave":
            parent.wait(30)
        else:
            assert said(parent) == "closed"
        store = SQLiteStore(path)
        for _ in range(3):
            tell(parent)  # its child listens
            assert said(parent) == "saved"
            for _ in range(10):
                finish(store.save(make_record(), None))
        finish(store.close())
    assert count(path) == 60
