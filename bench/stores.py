"""What a store gets out of a database, beside what its bare driver gets in the same run."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from statistics import median
from typing import Any, Final, NamedTuple

import redis.asyncio
import uvloop
from sqlalchemy.engine import make_url

from bench.processes import CORES, IS_PINNED
from coatcheck import Store, store_from_url
from coatcheck.core.record import Record
from coatcheck.stores.packed import expected, pack
from coatcheck.testing import make_record
from examples.shop.store import reached

SIZE: Final = 1_000
"""Bytes of each session's data."""
POOL: Final = 10
Call = Callable[[int], Awaitable[object]]


class Aim(NamedTuple):
    """One comparison: `least` is what the store must do, in the bare driver's requests a second."""

    name: str
    title: str
    tasks: int
    least: float


AIMS: Final = (
    Aim("postgresql-read", "PostgreSQL, read", 32, 0.6),
    Aim("postgresql-write", "PostgreSQL, conditional write", 32, 0.6),
    Aim("redis-read-16", "Redis, read", 16, 1.6),
    Aim("redis-read-128", "Redis, read", 128, 2.5),
)


def benchmark(redis_url: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Return requests a second, of each round, by store and by bare driver."""
    # The disk is not what is compared.
    with reached("postgresql", "-c", "fsync=off") as postgresql:
        others = os.sched_getaffinity(0)
        if IS_PINNED:
            os.sched_setaffinity(0, CORES[:1])
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(_measure(postgresql, redis_url, rounds, seconds))
        finally:
            os.sched_setaffinity(0, others)


def wrong(found: Mapping[str, Any]) -> list[str]:
    """Return what did not come up to what it should."""
    return [
        f"{aim.title}, {aim.tasks} tasks: {ratio(found[aim.name]):.2f} of the bare driver's"
        for aim in AIMS
        if ratio(found[aim.name]) < aim.least
    ]


def ratio(of: Mapping[str, list[float]]) -> float:
    """Return the median of the rounds' ratios: what else the machine does strikes both."""
    return median(store / bare for store, bare in zip(of["store"], of["bare"], strict=True))


async def _measure(postgresql: str, redis_url: str, rounds: int, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {aim.name: {"store": [], "bare": []} for aim in AIMS}
    async with _postgresql(postgresql) as on_postgresql, _redis(redis_url) as on_redis:
        calls = on_postgresql | on_redis
        for number in range(rounds):
            for aim in AIMS:
                pair = list(calls[aim.name.removesuffix(f"-{aim.tasks}")].items())
                for who, call in pair[:: 1 if number % 2 else -1]:
                    await _rate(call, aim.tasks, seconds / 4)
                    found[aim.name][who].append(await _rate(call, aim.tasks, seconds))
    return found


async def _rate(call: Call, tasks: int, seconds: float) -> float:
    """Return how many calls a second so many tasks make, each after the other."""
    end = time.perf_counter() + seconds

    async def work(number: int) -> int:
        count = 0
        while time.perf_counter() < end:
            await call(number)
            count += 1
        return count

    begun = time.perf_counter()
    counts = await asyncio.gather(*(work(number) for number in range(tasks)))
    return sum(counts) / (time.perf_counter() - begun)


async def _records(store: Store) -> list[Record]:
    """Save a session for each task."""
    most = max(aim.tasks for aim in AIMS)
    payload = os.urandom(SIZE)
    records = [make_record(payload=payload) for _ in range(most)]
    for record in records:
        await store.save(record, None)
    return records


@asynccontextmanager
async def _postgresql(url: str) -> AsyncGenerator[dict[str, dict[str, Call]]]:
    """Calls by the store, and by asyncpg's pool as it comes, with as many connections."""
    store = store_from_url(f"{url}?pool_size={POOL}")
    records = await _records(store)
    turns = [_there_and_back(record) for record in await _records(store)]
    asyncpg: Any = import_module("asyncpg")  # untyped, and so it may stay
    pool = await asyncpg.create_pool(
        make_url(url).render_as_string(hide_password=False), min_size=POOL, max_size=POOL
    )
    load = "SELECT value, seen_at FROM coatcheck_sessions WHERE id = $1"
    save = """
        UPDATE coatcheck_sessions SET seen_at = greatest(seen_at, $2), idle = $3, ends_at = $4,
        due = least(due, $5), head = $6, value = $7 WHERE id = $1 AND head = $8 RETURNING id"""

    async def read(number: int) -> object:
        return await store.load(records[number].id)

    async def read_bare(number: int) -> object:
        return await pool.fetchrow(load, records[number].id)

    async def write(number: int) -> object:
        base = records[number]
        records[number] = base._replace(version=base.version + 1)
        await store.save(records[number], base)
        return None

    async def write_bare(number: int) -> object:
        saves = turns[number]
        turns[number] = saves[::-1]
        return await pool.fetchrow(save, *saves[0])

    yield {
        "postgresql-read": {"store": read, "bare": read_bare},
        "postgresql-write": {"store": write, "bare": write_bare},
    }
    await pool.close()
    await store.close()


def _there_and_back(record: Record) -> list[tuple[Any, ...]]:
    """Return the values of two saves, each of which undoes the other: nothing is left to do."""
    other = record._replace(version=record.version + 1)
    return [
        (
            new.id, new.seen_at, new.idle, new.ends_at, new.expires_at, expected(new), pack(new),
            expected(old),
        )
        for old, new in ((record, other), (other, record))
    ]  # fmt: skip


@asynccontextmanager
async def _redis(url: str) -> AsyncGenerator[dict[str, dict[str, Call]]]:
    """Calls by the store, and by redis-py's client and its pool as they come."""
    store = store_from_url(f"{url}/3?prefix=bench")
    records = await _records(store)
    make: Any = redis.asyncio.Redis
    client = make.from_url(f"{url}/3", max_connections=len(records))
    keys = [f"bench:s:{record.id}" for record in records]
    if await client.exists(*keys) != len(keys):
        raise SystemExit("the store's keys have other names by now")

    async def read(number: int) -> object:
        return await store.load(records[number].id)

    async def read_bare(number: int) -> object:
        return await client.get(keys[number])

    yield {"redis-read": {"store": read, "bare": read_bare}}
    await client.aclose()
    await store.close()
