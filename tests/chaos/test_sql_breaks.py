"""SQL databases are frozen, restarted, cut off and overrun while requests are under way.

On each driver. After every fault the store serves again by itself, and what it says is right.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AsyncExitStack
from threading import Event
from typing import Any

import pytest

from coatcheck import Store
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.sql import SQLStore
from coatcheck.stores.sql.drivers import LIMIT
from coatcheck.testing import make_record, make_tombstone, next_version
from tests.chaos.link import Link
from tests.chaos.sql_writer import Writer, connect
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

SIZE = 4
EACH = pytest.mark.parametrize("driver", DRIVERS)


@pytest.fixture(scope="module")
def servers() -> Generator[dict[str, Server]]:
    """Databases of one's own, which lose nothing when they are killed."""
    log = "--innodb-flush-log-at-trx-commit=2"
    with postgres_server() as postgres, mariadb_server(log) as mariadb:
        yield {"postgresql": postgres, "mariadb": mariadb}


@pytest.fixture(scope="module")
def urls(servers: dict[str, Server]) -> dict[str, str]:
    return {
        "postgresql": with_tables(postgres_url(servers["postgresql"])),
        "mariadb": with_tables(mariadb_url(servers["mariadb"])),
    }


@pytest.fixture
def server(servers: dict[str, Server], driver: str) -> Server:
    return servers[DRIVERS[driver][0]]


@pytest.fixture
def url(urls: dict[str, str], driver: str) -> str:
    return urls[DRIVERS[driver][0]]


@pytest.fixture
async def store(url: str, driver: str) -> AsyncGenerator[SQLStore]:
    store = connect(url, driver, SIZE)
    yield store
    await store.close()
    gc.collect()  # what was not closed is told


@pytest.fixture
async def records(store: SQLStore) -> list[Record]:
    records = [make_record(payload=b"%d" % n * 500) for n in range(SIZE * 2)]
    for record in records:
        await ask(store, store.save(record, None))
    return records


async def loaded(store: Store, records: list[Record]) -> list[object]:
    """Load all of them at once."""
    loads = [ask(store, store.load(record.id)) for record in records]
    return list(await asyncio.gather(*loads, return_exceptions=True))


def of_every_kind(store: Store, records: list[Record]) -> list[Coroutine[Any, Any, Any]]:
    """Ask for what is one statement, and for what is several."""
    one, other, third = records[:3]
    return [
        store.load(one.id),
        store.save(next_version(other), other),
        store.save(make_record(), None),
        store.touch(one, one.seen_at),
        store.end(make_tombstone(third.id)),
        store.bar("alice", 1),
        store.time(),
        store.sweep(1, 10),
    ]


async def answers(store: Store, records: list[Record]) -> list[str]:
    """Return the kinds of answers to everything that is asked at once."""
    async with asyncio.timeout(6 * LIMIT + 10):
        asked = [ask(store, question) for question in of_every_kind(store, records)]
        found = await asyncio.gather(*asked, return_exceptions=True)
    return [type(each).__name__ for each in found]


async def test_a_frozen_server_is_waited_for_so_long_and_no_longer(
    urls: dict[str, str], servers: dict[str, Server]
) -> None:
    """All drivers at once, as this takes its time.

    Fails when one of them waits without a limit, or goes on with a connection that has an answer
    on it which nobody waited for.
    """
    async with AsyncExitStack() as stack:
        stores = {driver: connect(urls[DRIVERS[driver][0]], driver, SIZE) for driver in DRIVERS}
        stored: dict[str, list[Record]] = {}
        for driver, store in stores.items():
            stack.push_async_callback(store.close)
            stored[driver] = [make_record(payload=b"%d" % n * 500) for n in range(SIZE * 2)]
            for record in stored[driver]:
                await ask(store, store.save(record, None))
            assert await loaded(store, stored[driver]) == stored[driver]
        with servers["postgresql"].frozen(), servers["mariadb"].frozen():
            asked = [answers(store, stored[driver]) for driver, store in stores.items()]
            found = dict(zip(stores, await asyncio.gather(*asked), strict=True))
        assert found == dict.fromkeys(DRIVERS, ["StoreUnavailable"] * 8)
        for driver, store in stores.items():
            untouched = stored[driver][3:]
            assert await loaded(store, untouched) == untouched


async def test_a_store_of_a_frozen_server_can_be_closed(
    urls: dict[str, str], servers: dict[str, Server]
) -> None:
    """Fails when closing waits for the server to say goodbye."""
    stores = [connect(urls[DRIVERS[driver][0]], driver, SIZE) for driver in DRIVERS]
    for store in stores:
        await loaded(store, [make_record() for _ in range(SIZE)])
    with servers["postgresql"].frozen(), servers["mariadb"].frozen():
        async with asyncio.timeout(2 * LIMIT + 20):
            await asyncio.gather(*(ask(store, store.close()) for store in stores))


def shut_down(server: Server) -> None:
    server.stop(signal.SIGINT if "postgres" in server.command[0] else signal.SIGTERM)


@EACH
@pytest.mark.parametrize("how", [shut_down, Server.kill])
async def test_the_first_requests_after_a_restart_are_served(
    store: SQLStore,
    server: Server,
    records: list[Record],
    url: str,
    driver: str,
    how: Callable[[Server], None],
) -> None:
    """Fails when each connection that the restart closed fails a request."""
    assert await loaded(store, records) == records
    await asyncio.to_thread(how, server)
    await asyncio.to_thread(server.start)
    await until_ready(url, driver)
    assert await loaded(store, records) == records
    assert await answers(store, records) == [
        "Record",
        "NoneType",
        "NoneType",
        "NoneType",
        "Record",
        "Barred",
        "int",
        "int",
    ]


@EACH
async def test_an_outage_loses_nothing_and_ends_with_the_server_s(
    store: SQLStore, server: Server, url: str, driver: str
) -> None:
    """Fails when something is acknowledged that was not done, or a restart is needed."""
    writers = [Writer(store, f"{server.port}-{n}") for n in range(SIZE + 2)]
    for writer in writers:
        await ask(store, writer.begin())
    over = Event()
    traffic = [asyncio.create_task(ask(store, writer.work(over))) for writer in writers]
    try:
        await until_more(writers, 5)
        await asyncio.to_thread(server.kill)
        with pytest.raises(StoreUnavailable):
            await ask(store, store.time())
        await asyncio.to_thread(server.start)
        await until_ready(url, driver)
        await ask(store, store.time())
        await until_more(writers, 5)
    finally:
        over.set()
        await asyncio.gather(*traffic)
    for writer in writers:
        await ask(store, writer.check())


async def until_ready(url: str, driver: str) -> None:
    """Wait for a server that takes connections before it can serve them."""
    another = connect(url, driver, 1)
    async with asyncio.timeout(90):
        while True:
            try:
                await ask(another, another.time())
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                return await ask(another, another.close())


async def until_more(writers: list[Writer], number: int) -> None:
    """Wait for acknowledged changes of every writer."""
    before = [writer.acknowledged for writer in writers]
    async with asyncio.timeout(90):
        while any(w.acknowledged < b + number for w, b in zip(writers, before, strict=True)):  # noqa: ASYNC110 - they count, and tell nobody
            await asyncio.sleep(0.005)


@EACH
@pytest.mark.parametrize("size", [1, 40])
async def test_a_reply_that_breaks_off_is_nobody_s(
    server: Server, url: str, driver: str, records: list[Record], size: int
) -> None:
    """Fails when what is left of a reply is taken for the next one's."""
    async with Link(server.port) as between:
        store = connect(url.replace(str(server.port), str(between.port)), driver, 1)
        assert await loaded(store, records) == records
        for cut in (size, 300):
            between.cut = cut
            assert await ask(store, store.load(records[0].id)) == records[0]
            assert between.cut is None
        changed = next_version(records[1])
        between.cut = size
        with pytest.raises(StoreUnavailable):
            await ask(store, store.save(changed, records[1]))
        assert await ask(store, store.load(records[1].id)) in (records[1], changed)
        between.cut = size
        assert await ask(store, store.bar("bob", 1))
        await ask(store, store.close())


async def test_what_comes_late_or_never_is_nobody_s(
    urls: dict[str, str], servers: dict[str, Server]
) -> None:
    """Answers take longer than the limit, and later none comes any more, without a word.

    Fails when a late reply is taken for the next one's, or a dead connection is used again.
    """

    async def visit(driver: str) -> None:
        kind = DRIVERS[driver][0]
        async with Link(servers[kind].port) as between:
            url = urls[kind].replace(str(servers[kind].port), str(between.port))
            store = connect(url, driver, SIZE)
            records = [make_record(payload=b"%d" % n * 500) for n in range(SIZE)]
            for record in records:
                await ask(store, store.save(record, None))
            assert await loaded(store, records) == records
            between.delay = LIMIT + 2
            found = await loaded(store, records)
            assert [type(each) for each in found] == [StoreUnavailable] * SIZE, driver
            between.delay = 0
            assert await loaded(store, records[::-1]) == records[::-1], driver
            between.is_dead = True
            with pytest.raises(StoreUnavailable):
                await ask(store, store.load(records[0].id))
            between.is_dead = False
            assert await loaded(store, records) == records, driver
            await ask(store, store.close())

    await asyncio.gather(*map(visit, DRIVERS))
