"""Many want one connection, or one row of an SQL database."""

import asyncio

import pytest
from sqlalchemy import create_engine

from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.sql import SQLStore
from coatcheck.stores.sql.drivers import LIMIT
from coatcheck.testing import make_record, next_version
from tests.chaos.sql_writer import connect
from tests.kinds import DRIVERS
from tests.servers import Server, mariadb_url, postgres_url, with_tables
from tests.threads import ask

EACH = pytest.mark.parametrize("driver", DRIVERS)
ASYNCIO = pytest.mark.parametrize("driver", ["asyncpg", "asyncmy"])


@pytest.fixture
def servers(postgres: Server, mariadb: Server) -> dict[str, Server]:
    return {"postgresql": postgres, "mariadb": mariadb}


@pytest.fixture
def urls(postgres: Server, mariadb: Server) -> dict[str, str]:
    """Of new tables, for each driver."""
    url = {"postgresql": postgres_url(postgres), "mariadb": mariadb_url(mariadb)}
    return {driver: with_tables(url[kind]) for driver, (kind, _) in DRIVERS.items()}


_ONCE_WAITED_FOR_IN_POSTGRESQL = """
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    CHANGE;
END $$"""
# Asked more often, MariaDB repeats itself.
_ONCE_WAITED_FOR_IN_MARIADB = """
BEGIN NOT ATOMIC
    WHILE NOT EXISTS (SELECT 1 FROM information_schema.innodb_lock_waits) DO
        DO SLEEP(0.15);
    END WHILE;
    CHANGE;
END"""


def table(url: str, name: str) -> str:
    return f"{url.partition('prefix=')[2]}_{name}"


class Somebody:
    """Somebody else's connection, in a transaction until it is closed."""

    def __init__(self, servers: dict[str, Server], driver: str, user: str = "coatcheck") -> None:
        kind = DRIVERS[driver][0]
        url = f"mysql+pymysql://{user}@127.0.0.1:{servers[kind].port}/test"
        if kind == "postgresql":
            url = f"postgresql+psycopg://postgres@127.0.0.1:{servers[kind].port}/postgres"
        self._engine = create_engine(url)
        self._connection = self._engine.connect()

    def say(self, statement: str) -> None:
        self._connection.exec_driver_sql(statement)

    def change(self, table: str, column: str) -> None:
        """Change all rows, and so lock them."""
        self.say(f"UPDATE {table} SET {column} = {column} + 1")  # noqa: S608 - of this file

    def change_when_waited_for(self, driver: str, table: str, column: str) -> None:
        """Change all rows as soon as somebody waits for a lock.

        The server does the looking, as who waits soon gives up. Of two that wait for each other
        PostgreSQL gives the one up who first has waited for so long: not this one.
        """
        change = f"UPDATE {table} SET {column} = {column} + 1"  # noqa: S608 - of this file
        if DRIVERS[driver][0] == "postgresql":
            self.say("SET deadlock_timeout = '1min'")
            self.say(_ONCE_WAITED_FOR_IN_POSTGRESQL.replace("CHANGE", change))
        else:
            self.say(_ONCE_WAITED_FOR_IN_MARIADB.replace("CHANGE", change))

    def close_others(self, driver: str) -> None:
        if DRIVERS[driver][0] == "postgresql":
            self.say(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        else:
            self.say("KILL USER coatcheck")

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()


@ASYNCIO
async def test_who_asks_again_and_again_does_not_keep_others_waiting(
    urls: dict[str, str], driver: str
) -> None:
    """Fails when a connection goes to who asks next instead of who waits."""
    store = connect(urls[driver], driver, 1)
    asked = 0

    async def ask_often() -> None:
        nonlocal asked
        while asked < 1_000:
            await store.time()
            asked += 1

    often = asyncio.create_task(ask_often())
    while not asked:  # noqa: ASYNC110 - it counts, and tells nobody
        await asyncio.sleep(0)
    await store.time()
    assert asked < 10
    often.cancel()
    await asyncio.gather(often, return_exceptions=True)
    await store.close()


async def test_one_connection_for_many_is_waited_for_so_long_and_no_longer(
    servers: dict[str, Server], urls: dict[str, str]
) -> None:
    """All drivers at once, as this takes its time: somebody holds a row that a transaction wants.

    Fails when who waits waits for ever, keeps what is given up locked, or leaves with his turn.
    """

    async def visit(driver: str) -> None:
        url = urls[driver]
        store = connect(url, driver, 1)
        await ask(store, store.bar("alice", 1))
        somebody = await asyncio.to_thread(Somebody, servers, driver)
        await asyncio.to_thread(somebody.change, table(url, "bars"), "place")
        bars = (ask(store, store.bar("alice", 2)) for _ in range(5))
        asked = [asyncio.create_task(bar) for bar in bars]
        leaves = asyncio.create_task(ask(store, store.time()))
        await asyncio.sleep(0.1)
        leaves.cancel()
        async with asyncio.timeout(4 * LIMIT + 20):
            found = await asyncio.gather(*asked, return_exceptions=True)
        await asyncio.to_thread(somebody.close)
        assert [type(each) for each in found] == [StoreUnavailable] * 5, driver
        async with asyncio.timeout(4 * LIMIT):
            times = await asyncio.gather(*(ask(store, store.time()) for _ in range(20)))
            assert len(times) == 20
            assert (await ask(store, store.bar("alice", 3))).bar == 3, driver
        await ask(store, store.close())

    await asyncio.gather(*map(visit, DRIVERS))


@EACH
async def test_a_transaction_that_is_given_up_for_another_s_is_done_again(
    servers: dict[str, Server], urls: dict[str, str], driver: str
) -> None:
    """Somebody changed the record and wants the bar, the store holds the bar and wants the record.

    Fails when a deadlock is answered as a store that is not there.
    """
    url = urls[driver]
    store = connect(url, driver, 2)
    records = [make_record(subject="alice") for _ in range(30)]
    for record in records:
        await ask(store, store.save(record, None))
    assert await ask(store, store.enlist(records[0], 1, 0, 0)) == [records[0].id]
    somebody = await asyncio.to_thread(Somebody, servers, driver, "root")
    await asyncio.to_thread(somebody.change, table(url, "sessions"), "ends_at")
    enlisting = asyncio.create_task(ask(store, store.enlist(records[1], 1, 0, 0)))
    bars = table(url, "bars")
    await asyncio.to_thread(somebody.change_when_waited_for, driver, bars, "place")
    await asyncio.to_thread(somebody.close)
    assert await enlisting == [records[0].id, records[1].id]
    await ask(store, store.close())


@EACH
async def test_connections_that_an_administrator_closes_fail_no_request(
    servers: dict[str, Server], urls: dict[str, str], driver: str
) -> None:
    """Fails when what the server closed is told apart from what it refuses by a driver's number."""
    store = connect(urls[driver], driver, 3)
    record = make_record(subject="alice")
    await ask(store, store.save(record, None))

    async def all_at_once() -> list[object]:
        loads = [ask(store, store.load(record.id)) for _ in range(6)]
        bars = [ask(store, store.bar("bob", 1)) for _ in range(3)]
        found = await asyncio.gather(*loads, *bars, return_exceptions=True)
        return [type(each).__name__ for each in found]

    fine = ["Record"] * 6 + ["Barred"] * 3
    assert await all_at_once() == fine
    monitor = await asyncio.to_thread(Somebody, servers, driver, "root")
    await asyncio.to_thread(monitor.close_others, driver)
    await asyncio.to_thread(monitor.close)
    assert await all_at_once() == fine
    await ask(store, store.close())


@EACH
async def test_one_lost_connection_is_enough_to_leave_all(
    servers: dict[str, Server], urls: dict[str, str], driver: str
) -> None:
    """There are more than a request tries, and a write is not sent a second time.

    Fails when others that the server closed are lent on, or taken out of the pool as they are.
    """
    store = connect(urls[driver], driver, 12)
    record = make_record()
    await ask(store, store.save(record, None))
    await asyncio.gather(*(ask(store, store.load(record.id)) for _ in range(12)))
    monitor = await asyncio.to_thread(Somebody, servers, driver, "root")
    await asyncio.to_thread(monitor.close_others, driver)
    await asyncio.to_thread(monitor.close)
    assert await ask(store, store.load(record.id)) == record
    saved = [next_version(record), make_record(), make_record()]
    await asyncio.gather(
        ask(store, store.save(saved[0], record)),
        *(ask(store, store.save(r, None)) for r in saved[1:]),
    )
    assert [await ask(store, store.load(each.id)) for each in saved] == saved
    await ask(store, store.close())


@EACH
async def test_end_all_leaves_nothing_of_logins_under_way(
    urls: dict[str, str], driver: str
) -> None:
    """A login is put into the index, or refused; who is in it when everybody is ended, ends.

    Fails when the index is read without the lock of the bar.
    """
    store = connect(urls[driver], driver, 6)
    await end_all_against_logins(store, 8)
    await ask(store, store.close())


async def end_all_against_logins(store: SQLStore, times: int) -> None:
    async def log_in(record: Record, opened_at: int) -> list[str] | None:
        await ask(store, store.save(record, None))
        return await ask(store, store.enlist(record, opened_at, 0, 2))

    for turn in range(1, times + 1):
        subject = f"user{turn}"
        records = [make_record(subject=subject) for _ in range(12)]
        logins = [asyncio.create_task(log_in(record, turn)) for record in records]
        await asyncio.wait(logins, return_when=asyncio.FIRST_COMPLETED)
        barred = await ask(store, store.bar(subject, turn))
        indexes = await asyncio.gather(*logins)
        are_in = [ids for ids in indexes if ids is not None]
        for record, ids in zip(records, indexes, strict=True):
            assert ids is None or record.id in barred.ids
        assert sorted(len(ids) for ids in are_in if ids) == list(range(3, len(are_in) + 1))
