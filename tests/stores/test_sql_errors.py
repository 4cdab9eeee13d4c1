"""What a MariaDB or its driver calls an error, and what becomes of the connections.

A server's numbers are 1,000 to 1,999 and from 3,000 on; 2,000 to 2,999 and 0 are its client's, who
had no answer. `SIGNAL` has the real server say whichever number a test wants.
"""

import asyncio
from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, create_engine

from coatcheck.errors import StoreUnavailable
from coatcheck.stores.sql import SQLStore
from coatcheck.stores.sql.channel import TRIES
from coatcheck.stores.sql.drivers import Asyncmy, PyMySQL
from coatcheck.testing import make_record
from coatcheck.waiting import Kind, finish
from tests.chaos.sql_writer import connect
from tests.kinds import DRIVERS
from tests.servers import Server, free_port, mariadb_url, with_tables

EACH = pytest.mark.parametrize("driver", ["asyncmy", "pymysql"])


class Site(NamedTuple):
    """A store with one connection, and somebody who may do anything in its database."""

    store: SQLStore
    run: Callable[..., Any]
    admin: Connection
    prefix: str

    def say(self, statement: str) -> Any:
        found = self.admin.exec_driver_sql(statement.replace("shop_", f"{self.prefix}_"))
        return found.all() if found.returns_rows else None

    def let_bars_fail(self, number: int) -> None:
        """Have the server answer with an error of this number when a bar is raised."""
        signal = f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}"
        self.say(f"CREATE TRIGGER shop_fails BEFORE UPDATE ON shop_bars FOR EACH ROW {signal}")

    def connections(self) -> int:
        """Return how many the server has ever had."""
        ((_, number),) = self.say("SHOW GLOBAL STATUS LIKE 'Connections'")
        return int(number)


@pytest.fixture
def site(mariadb: Server, driver: str) -> Generator[Site]:
    url = with_tables(mariadb_url(mariadb))
    store = connect(url, driver, 1)
    engine = create_engine(
        f"mysql+pymysql://root@127.0.0.1:{mariadb.port}/test", isolation_level="AUTOCOMMIT"
    )
    with asyncio.Runner() as runner, engine.connect() as admin:
        run = finish if DRIVERS[driver][1] is Kind.BLOCKING else runner.run
        run(store.time())
        yield Site(store, run, admin, url.partition("prefix=")[2])
        run(store.close())
    engine.dispose()


@EACH
@pytest.mark.parametrize("number", [1205, 1317, 3024, 3819, 4163])
def test_what_a_server_says_of_a_statement_is_final(site: Site, number: int) -> None:
    """Some are MySQL's alone, some MariaDB's.

    Fails when a number from 3,000 on is taken for a client's: then a transaction is repeated.
    """
    site.let_bars_fail(number)
    before = site.connections()
    with pytest.raises(StoreUnavailable, match=rf"^mysql: \w+ {number}$"):
        site.run(site.store.bar("alice", 1))
    site.run(site.store.time())
    assert site.connections() == before + 1


@EACH
def test_a_check_that_fails_is_what_the_server_says(site: Site) -> None:
    """A real one, 4025. Fails when it is taken for a client's number."""
    site.say("ALTER TABLE shop_sessions ADD CONSTRAINT is_short CHECK (idle < 5)")
    with pytest.raises(StoreUnavailable, match=r"^mysql: \w+ 4025$"):
        site.run(site.store.save(make_record(), None))


@EACH
@pytest.mark.parametrize("number", [1053, 1290, 1836, 1927, 4031])
def test_a_server_that_serves_no_more_is_left_for_another(site: Site, number: int) -> None:
    """It shuts down, is no primary any more, or has closed what was idle, which is MySQL's 4031.

    Each new connection may lead elsewhere. Fails when that is taken for an answer to what was
    asked.
    """
    site.let_bars_fail(number)
    before = site.connections()
    with pytest.raises(StoreUnavailable, match=rf"^mysql: \w+ {number}$"):
        site.run(site.store.bar("alice", 1))
    assert site.connections() == before + TRIES


@EACH
def test_a_client_s_own_numbers_are_no_answer(site: Site, mariadb: Server, driver: str) -> None:
    """Nobody listens: 2003; the server closed the connection: 2006 or 2013; the driver did: 0.

    Fails when one of them is taken for what the server said.
    """
    module: Any = import_module(driver)
    address = {"host": "127.0.0.1", "user": "coatcheck"}
    errors: list[Exception] = []

    async def fail(function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        with pytest.raises(module.Error) as caught:
            await call(function, *arguments, **named)
        errors.append(caught.value)

    async def call(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        answer = function(*arguments, **named)
        return await answer if driver == "asyncmy" else answer

    async def visit() -> None:
        await fail(module.connect, port=free_port(), **address)
        connection = await call(module.connect, port=mariadb.port, **address)
        site.say(f"KILL {connection.thread_id()}")
        for _ in range(3):
            await fail(connection.cursor().execute, "SELECT 1")

    site.run(visit())
    numbers = [error.args[0] for error in errors]
    assert (numbers[0], numbers[-1]) == (2003, 0)
    assert numbers[1] in (2006, 2013)
    of = Asyncmy() if driver == "asyncmy" else PyMySQL()
    assert {of.code(error) for error in errors} == {None}
