"""The contract on SQL databases, by each driver; and what is theirs alone."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from coatcheck import Store
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import StoreContract, make_record
from coatcheck.waiting import Kind, finish
from tests.servers import Server, mariadb_url, postgres_url, with_tables

T = TypeVar("T")


class SQLContract(StoreContract):
    kind = Kind.ASYNCIO
    url: str

    def make_store(self) -> Store:
        return SQLStore.from_url(self.url, kind=self.kind)


class TestPostgreSQL(SQLContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: Server) -> None:
        self.url = with_tables(postgres_url(postgres))


class TestPostgreSQLBlocking(TestPostgreSQL):
    kind = Kind.BLOCKING
    is_blocking = True


class TestMariaDB(SQLContract):
    @pytest.fixture(autouse=True)
    def _server(self, mariadb: Server) -> None:
        self.url = with_tables(mariadb_url(mariadb))


class TestMariaDBBlocking(TestMariaDB):
    kind = Kind.BLOCKING
    is_blocking = True


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql":
        return with_tables(postgres_url(request.getfixturevalue("postgres")))
    return with_tables(mariadb_url(request.getfixturevalue("mariadb")))


@pytest.mark.parametrize("kind", [Kind.ASYNCIO, Kind.BLOCKING])
async def test_one_at_a_time_sweeps(url: str, kind: Kind) -> None:
    """Fails when who finds another one sweeping waits for it, or sweeps beside it."""
    parts = make_url(url)
    prefix = parts.query["prefix"]
    driver = {"postgresql": "psycopg", "mysql": "pymysql"}[parts.drivername]
    plain = parts.set(drivername=f"{parts.drivername}+{driver}").difference_update_query(["prefix"])
    other = create_engine(plain, poolclass=NullPool)
    store = SQLStore.from_url(url, kind=kind)
    swept = text(f"SELECT * FROM {prefix}_bars WHERE owner = '!sweeping' FOR UPDATE")  # noqa: S608

    def sweep() -> Coroutine[Any, Any, int]:
        return store.sweep(2_000_000, 10)

    async def run(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return await call() if kind is Kind.ASYNCIO else await asyncio.to_thread(finish, call())

    await run(lambda: store.save(make_record(seen_at=0, idle=1), None))
    assert await run(lambda: store.sweep(0, 10)) == 0  # makes the row
    with await asyncio.to_thread(other.connect) as connection:
        found = await asyncio.to_thread(connection.execute, swept)
        assert len(found.all()) == 1
        assert await run(sweep) == 0
        await asyncio.to_thread(connection.rollback)
    assert await run(sweep) == 1
    await run(store.close)
