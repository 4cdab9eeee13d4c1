"""The long versions of what breaks SQL databases: `make chaos`."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack
from threading import Event

import pytest

from coatcheck.errors import StoreUnavailable
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import make_record
from tests.chaos.link import Link
from tests.chaos.mixture import cancel, make_records
from tests.chaos.sql_writer import Writer, connect
from tests.chaos.test_parallel_edits import go, read, result, signed_in, worker
from tests.chaos.test_sql_breaks import until_more, until_ready
from tests.chaos.test_sql_contention import end_all_against_logins
from tests.kinds import DRIVERS
from tests.servers import (
    Server,
    mariadb_server,
    mariadb_url,
    postgres_server,
    postgres_url,
    with_tables,
)
from tests.threads import ask

EACH = pytest.mark.parametrize("driver", DRIVERS)


@pytest.fixture
def server(driver: str) -> Generator[Server]:
    if DRIVERS[driver][0] == "postgresql":
        with postgres_server() as server:
            yield server
    else:
        with mariadb_server("--innodb-flush-log-at-trx-commit=2") as server:
            yield server


@pytest.fixture
def url(server: Server, driver: str) -> str:
    of = postgres_url if DRIVERS[driver][0] == "postgresql" else mariadb_url
    return with_tables(of(server))


@pytest.fixture
async def store(url: str, driver: str) -> AsyncGenerator[SQLStore]:
    store = connect(url, driver, 8)
    yield store
    await ask(store, store.close())


@pytest.mark.parametrize("driver", ["asyncpg", "asyncmy"])
async def test_ten_thousand_cancelled_requests_mix_nothing_up(store: SQLStore) -> None:
    await cancel(store, await make_records(store, 20), 10_000)


@EACH
async def test_outages_of_all_kinds_lose_nothing(
    store: SQLStore, server: Server, url: str, driver: str
) -> None:
    """Twenty times: frozen for longer than anybody waits, or killed, under traffic."""
    writers = [Writer(store, f"user{n}") for n in range(12)]
    for writer in writers:
        await ask(store, writer.begin())
    over = Event()
    traffic = [asyncio.create_task(ask(store, writer.work(over))) for writer in writers]
    try:
        for turn in range(20):
            await until_more(writers, 5)
            if turn % 2:
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
            else:
                with server.frozen():
                    await asyncio.sleep(turn % 5)
            await until_ready(url, driver)
    finally:
        over.set()
        await asyncio.gather(*traffic)
    for writer in writers:
        await ask(store, writer.check())


@EACH
async def test_a_bad_connection_loses_nothing(server: Server, url: str, driver: str) -> None:
    """Replies break off at any place, come late, or never, under traffic."""
    async with Link(server.port) as between:
        store = connect(url.replace(str(server.port), str(between.port)), driver, 8)
        writers = [Writer(store, f"user{n}") for n in range(12)]
        for writer in writers:
            await ask(store, writer.begin())
        over = Event()
        traffic = [asyncio.create_task(ask(store, writer.work(over))) for writer in writers]
        try:
            for size in range(0, 400, 3):
                between.cut = size
                between.delay = 2.5 if size % 99 == 0 else 0.0
                between.is_dead = size % 100 == 42
                await asyncio.sleep(0.1)
                between.is_dead = False
            between.cut, between.delay = None, 0.0
            await until_more(writers, 5)
        finally:
            between.cut, between.delay, between.is_dead = None, 0.0, False
            over.set()
            await asyncio.gather(*traffic)
        for writer in writers:
            await ask(store, writer.check())
        await ask(store, store.close())


@EACH
def test_two_hundred_updates_survive_ten_times(url: str, driver: str) -> None:
    """Two processes, ten at a time in each: tasks, or threads."""
    form = DRIVERS[driver][1]
    for turn in range(10):
        token = signed_in(url)
        with ExitStack() as stack:
            workers = [stack.enter_context(worker(url, form, [token], name, 100)) for name in "ab"]
            for process in workers:
                go(process)
            assert [result(process) for process in workers] == [[100, []], [100, []]], turn
        assert read(url, token)["count"] == 200


@EACH
async def test_end_all_leaves_nothing_of_logins_under_way(store: SQLStore) -> None:
    await end_all_against_logins(store, 100)


@EACH
async def test_sweeping_disturbs_nobody(store: SQLStore) -> None:
    """Two sweep at once while others write; what lives is left alone."""
    gone = [make_record(subject="old", seen_at=1, idle=1, ends_at=2) for _ in range(600)]
    for record in gone:
        await ask(store, store.save(record, None))
    writers = [Writer(store, f"user{n}") for n in range(6)]
    for writer in writers:
        await ask(store, writer.begin())
    over = Event()
    traffic = [asyncio.create_task(ask(store, writer.work(over))) for writer in writers]
    try:
        swept = 0
        while swept < len(gone):
            try:
                turns = [ask(store, store.sweep(1_000, 50)) for _ in range(2)]
                swept += sum(await asyncio.gather(*turns))
            except StoreUnavailable:
                await asyncio.sleep(0.05)
        await until_more(writers, 5)
    finally:
        over.set()
        await asyncio.gather(*traffic)
    for writer in writers:
        await ask(store, writer.check())
    assert await ask(store, store.count("old")) == 0
