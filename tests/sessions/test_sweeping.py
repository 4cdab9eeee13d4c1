"""Expired sessions disappear, in batches, whoever sweeps and however many do (R-083)."""

import asyncio
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coatcheck import BlockingSessions, Event, Happened, MemoryStore, Sessions, SQLiteStore, Store
from coatcheck.errors import StoreUnavailable
from coatcheck.sweeper import BATCH
from coatcheck.testing import Clock, make_record
from tests.sessions.browser import Browser

MANY = 100_000


async def expired(folder: Path, kind: str, clock: Clock, count: int) -> Store:
    """Return a store with so many sessions that expired long ago."""
    records = [make_record(seen_at=clock() - 3_600_000 - n, idle=60_000) for n in range(count)]
    store: Store = MemoryStore() if kind == "memory" else SQLiteStore(folder / "sessions.db")
    if kind == "memory":
        for record in records:
            await store.save(record, None)
        return store
    await store.save(records.pop(), None)
    with sqlite3.connect(folder / "sessions.db") as db:  # as a save each would take its time
        (stored,) = db.execute("SELECT record FROM coatcheck_sessions").fetchone()
        db.executemany(
            "INSERT INTO coatcheck_sessions (id, seen_at, idle, ends_at, due, record) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            ((r.id, r.seen_at, r.idle, r.ends_at, r.expires_at, stored) for r in records),
        )
    db.close()
    return store


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_100_000_go_and_each_is_told_once(tmp_path: Path, clock: Clock, kind: str) -> None:
    """Two sweepers at once. Fails when they both report what one of them deleted."""
    store = await expired(tmp_path, kind, clock, MANY)
    another = store if kind == "memory" else SQLiteStore(tmp_path / "sessions.db")
    events: list[Event] = []
    await Browser(Sessions(store, clock=clock, on_event=events.append)).put(x=1)
    first = sum(int(e.facts["count"]) for e in events if e.kind is Happened.SWEPT)
    assert first == BATCH  # by the commit, which waits for no more than that
    servers = [BlockingSessions(s, clock=clock, on_event=events.append) for s in (store, another)]
    with ThreadPoolExecutor(2) as threads:
        swept = list(threads.map(BlockingSessions.sweep, servers))
    assert sum(swept) == MANY - BATCH
    assert kind == "memory" or all(swept)
    told = sum(int(e.facts["count"]) for e in events if e.kind is Happened.SWEPT)
    assert told == MANY
    assert await store.count(None) == 1
    await store.close()
    await another.close()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_others_go_on_between_two_batches(tmp_path: Path, clock: Clock, kind: str) -> None:
    """Fails when a store that never waits holds the event loop up until all is swept."""
    store = await expired(tmp_path, kind, clock, 3 * BATCH)
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(await store.count(None))
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    await asyncio.sleep(0)
    assert await Sessions(store, clock=clock).sweep() == 3 * BATCH
    beside.cancel()
    assert turns[:3] == [3 * BATCH, 2 * BATCH, BATCH]
    await store.close()


async def test_live_traffic_sweeps_a_batch_a_second_until_nothing_is_left(
    tmp_path: Path, clock: Clock
) -> None:
    """Fails when a sweep that did not suffice is followed by the next after a minute only."""
    store = await expired(tmp_path, "sqlite", clock, 5 * BATCH)
    sessions = Sessions(store, clock=clock, on_event=lambda _: None)
    left: list[int] = []
    for n in range(7):
        await Browser(sessions).put(n=n)
        left.append(await store.count(None) - n - 1)
        clock.move(seconds=1)
    assert left == [4_000, 3_000, 2_000, 1_000, 0, 0, 0]
    await store.close()


async def test_processes_that_began_together_do_not_sweep_together(clock: Clock) -> None:
    """Fails when the next sweep is always as far away as the one before."""
    swept: list[int] = []

    class Watched(MemoryStore):
        async def sweep(self, before: int, limit: int, /) -> int:
            swept.append(clock())
            return await super().sweep(before, limit)

    servers = [Sessions(Watched(), clock=clock, on_event=lambda _: None) for _ in range(20)]
    browsers = [Browser(server) for server in servers]
    begun = clock()
    for n in range(600):
        for browser in browsers:
            await browser.put(n=n)
        clock.move(milliseconds=250)
    at_once = Counter(at for at in swept if at > begun)
    assert 40 <= at_once.total() <= 100  # in 150 s, by 20 of them
    assert max(at_once.values()) <= 7


async def test_a_store_that_cannot_say_what_was_evicted_fails_no_request(clock: Clock) -> None:
    """Fails when a look that is nobody's request becomes somebody's outage."""

    class Away(MemoryStore):
        async def evicted(self) -> int:
            raise StoreUnavailable("a master is away")

    events: list[Event] = []
    browser = Browser(Sessions(Away(), clock=clock, on_event=events.append))
    await browser.put(x=1)
    assert await browser.see() == (None, {"x": 1})
    told = [dict(event.facts) for event in events if event.kind is Happened.UNAVAILABLE]
    assert told == [{"during": "sweep: a master is away"}]


async def test_a_store_may_count_evictions_of_its_own(clock: Clock) -> None:
    """By the name that the method has. Fails when a login that was stored is answered 500."""

    class Small(MemoryStore):
        evicted = 7

    events: list[Event] = []
    sessions = Sessions(Small(), clock=clock, on_event=events.append)
    await Browser(sessions).put(x=1)
    assert [e.kind for e in events] == [Happened.CREATED]
