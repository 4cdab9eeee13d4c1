"""What is the SQL databases' alone; the contract is in test_contract.py."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from coatcheck.clock import system
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import make_record
from coatcheck.waiting import Kind, finish
from tests.conftest import new_url
from tests.servers import mariadb_server, mariadb_url, with_tables

T = TypeVar("T")


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url(request, request.param, tmp_path)


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


def test_a_server_that_wants_primary_keys_takes_the_tables() -> None:
    """As MySQL does where `sql_require_primary_key` is on. Fails when a table has none."""
    with mariadb_server("--innodb-force-primary-key=1") as server:
        store = SQLStore.from_url(with_tables(mariadb_url(server)), kind=Kind.BLOCKING)
        assert finish(store.count(None)) == 0
        finish(store.close())


def test_the_hour_before_clocks_are_set_back_is_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server's time zone is one where that is in half an hour, so that the time comes twice.

    Fails when the server's time of day is what counts: the store's clock was an hour ahead.
    """
    now = datetime.now(UTC)
    summer, winter = now - timedelta(days=30), now + timedelta(minutes=30)
    monkeypatch.setenv("TZ", f"WINTER0SUMMER-1,{_rule(summer)},{_rule(winter)}")
    with mariadb_server() as server:
        store = SQLStore.from_url(mariadb_url(server), kind=Kind.BLOCKING)
        assert abs(finish(store.time()) - system()) < 60_000
        finish(store.close())


def _rule(moment: datetime) -> str:
    """Return a moment as TZ has it (POSIX): the day of the year, and the time in summer."""
    local = moment + timedelta(hours=1)
    return f"{local.timetuple().tm_yday - 1}/{local:%H:%M}"
