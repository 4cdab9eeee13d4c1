"""The drivers of SQL databases that a store speaks to directly, below SQLAlchemy."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol

from sqlalchemy import Engine
from sqlalchemy.pool import Pool, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from coatcheck.errors import ConfigurationError
from coatcheck.stores.sql_statements import Statement
from coatcheck.waiting import Kind

LIMIT = 2
"""For how many seconds an answer is waited for."""


class Answer(NamedTuple):
    """What a statement did.

    Attributes:
        number: of the rows that it changed, or found.
    """

    rows: Sequence[Any]
    number: int


class Driver(Protocol):
    """How a driver's own connections are spoken to.

    Attributes:
        kind: how it waits.
    """

    kind: ClassVar[Kind]

    async def take(self, pool: Pool) -> PoolProxiedConnection:
        """Take a connection out of a pool."""
        ...

    async def give_back(self, connection: PoolProxiedConnection) -> None:
        """Give one back that is as it was."""
        ...

    async def close(self, pool: Pool) -> None:
        """Close the connections that a pool has."""
        ...

    def prepare(self, connection: Any) -> None:
        """Set a new connection of SQLAlchemy's to autocommit, and to READ COMMITTED."""
        ...

    async def say(self, connection: Any, statement: Statement, values: dict[str, Any]) -> Answer:
        """Send a statement on the driver's connection."""
        ...

    def code(self, error: Exception) -> str | None:
        """Return what the database calls an error, `None` where it did not say any."""
        ...


class _Blocking:
    kind: ClassVar[Kind] = Kind.BLOCKING

    async def take(self, pool: Pool) -> PoolProxiedConnection:
        return pool.connect()

    async def give_back(self, connection: PoolProxiedConnection) -> None:
        connection.close()

    async def close(self, pool: Pool) -> None:
        pool.dispose()


class _Asyncio:
    kind: ClassVar[Kind] = Kind.ASYNCIO

    async def take(self, pool: Pool) -> PoolProxiedConnection:
        connection: PoolProxiedConnection = await greenlet_spawn(pool.connect)
        return connection

    async def give_back(self, connection: PoolProxiedConnection) -> None:
        await greenlet_spawn(connection.close)

    async def close(self, pool: Pool) -> None:
        await greenlet_spawn(pool.dispose)


class Psycopg(_Blocking):
    """psycopg 3, in threads."""

    def prepare(self, connection: Any) -> None:
        """See `Driver.prepare`: a transaction names its level itself."""
        connection.autocommit = True
        connection.wait = partial(connection.wait, timeout=LIMIT)

    async def say(self, connection: Any, statement: Statement, values: dict[str, Any]) -> Answer:
        """See `Driver.say`."""
        with connection.execute(statement.sql, statement.given(values), binary=True) as cursor:
            rows = cursor.fetchall() if cursor.description else ()
            return Answer(rows, cursor.rowcount)

    def code(self, error: Exception) -> str | None:
        """See `Driver.code`: an SQLSTATE."""
        return getattr(error, "sqlstate", None)


class Asyncpg(_Asyncio):
    """asyncpg."""

    def prepare(self, connection: Any) -> None:
        """See `Driver.prepare`: it is that, and a transaction names its level itself."""

    async def say(self, connection: Any, statement: Statement, values: dict[str, Any]) -> Answer:
        """See `Driver.say`."""
        rows = await connection.fetch(statement.sql, *statement.given(values), timeout=LIMIT)
        return Answer(rows, len(rows))

    def code(self, error: Exception) -> str | None:
        """See `Driver.code`: an SQLSTATE."""
        return getattr(error, "sqlstate", None)


class _MySQL:
    def prepare(self, connection: Any) -> None:
        connection.autocommit(True)
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.close()

    def code(self, error: Exception) -> str | None:
        number = error.args[0] if error.args else None
        return str(number) if isinstance(number, int) and number < _OF_CLIENTS else None

    def unless_there(self, error: Exception) -> Answer:
        if self.code(error) == _DUPLICATE:
            return Answer((), 0)
        raise error


_DUPLICATE = "1062"
_OF_CLIENTS = 2000
"""From here on errors are the client library's own: there was no answer."""


class PyMySQL(_MySQL, _Blocking):
    """PyMySQL, in threads."""

    async def say(self, connection: Any, statement: Statement, values: dict[str, Any]) -> Answer:
        """See `Driver.say`."""
        with connection.cursor() as cursor:
            try:
                count = cursor.execute(statement.sql, statement.given(values))
            except Exception as error:
                return self.unless_there(error)
            return Answer(cursor.fetchall(), count)


class Asyncmy(_MySQL, _Asyncio):
    """asyncmy."""

    async def say(self, connection: Any, statement: Statement, values: dict[str, Any]) -> Answer:
        """See `Driver.say`."""
        if "ids" in values:  # it writes down tuples alone
            values = {**values, "ids": tuple(values["ids"])}
        async with connection.cursor() as cursor:
            try:
                count = await cursor.execute(statement.sql, statement.given(values))
            except Exception as error:
                return self.unless_there(error)
            return Answer(await cursor.fetchall(), count)


_DRIVERS: dict[str, type[Driver]] = {
    "psycopg": Psycopg,
    "asyncpg": Asyncpg,
    "pymysql": PyMySQL,
    "asyncmy": Asyncmy,
}


def driver_of(engine: Engine) -> Driver:
    """Return how an engine's driver is spoken to.

    Raises:
        ConfigurationError: it is none of those that are known.
    """
    found = _DRIVERS.get(engine.driver)
    if found is None or engine.dialect.is_async is not (found.kind is Kind.ASYNCIO):
        how = "for asyncio" if engine.dialect.is_async else "for threads"
        names = ", ".join(_DRIVERS)
        raise ConfigurationError("engine", f"{engine.driver} {how} is not supported: use {names}")
    return found()
