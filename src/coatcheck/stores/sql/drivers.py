"""The drivers of SQL databases that a store speaks to directly, below SQLAlchemy."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from operator import methodcaller
from typing import Any, ClassVar, NamedTuple, Protocol

from sqlalchemy import Engine
from sqlalchemy.pool import Pool, PoolProxiedConnection, QueuePool
from sqlalchemy.util import greenlet_spawn

from coatcheck.errors import ConfigurationError
from coatcheck.stores.sql.loans import Loans
from coatcheck.stores.sql.statements import Statement
from coatcheck.stores.turns import TaskTurns, ThreadTurns
from coatcheck.waiting import Kind

LIMIT = 2
"""For how many seconds an answer is waited for."""
_POSTGRESQL = f"""
    SELECT set_config('default_transaction_isolation', 'read committed', false),
        set_config('statement_timeout', '{LIMIT * 900}', false),
        set_config('idle_in_transaction_session_timeout', '{LIMIT * 5000}', false)"""
# The modes of others change what a quote is, or cut what is too long. The time of day is ambiguous
# for an hour where clocks are set back.
_MYSQL = (
    f"SET SESSION sql_mode = 'STRICT_ALL_TABLES', SESSION innodb_lock_wait_timeout = {LIMIT // 2},"
    " SESSION time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
)


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

    def turns(self, pool: Pool) -> AbstractAsyncContextManager[None]:
        """Return what is held by whoever has one of a pool's connections.

        There are as many as the pool keeps, none beyond that, which it would close after their use.
        """
        ...

    async def take(self, pool: Pool) -> PoolProxiedConnection:
        """Take a connection out of a pool."""
        ...

    async def give_back(self, pool: Pool, connection: PoolProxiedConnection) -> None:
        """Give one back that is as it was."""
        ...

    def forget(self) -> None:
        """Lend nothing on that was taken before: its server is lost."""
        ...

    async def close(self, pool: Pool) -> None:
        """Close the connections that a pool has."""
        ...

    def limit(self, connection: Any) -> None:
        """Set limits of time on a new connection of SQLAlchemy's, before anything is said."""
        ...

    def prepare(self, connection: Any) -> None:
        """Set it to autocommit and READ COMMITTED, whatever the server or the engine set.

        The server gives up a little before it is given up on, so that it keeps no lock for nobody.

        Raises:
            ConfigurationError: it is of no use.
        """
        ...

    async def say(self, connection: Any, statement: Statement, values: dict[str, Any]) -> Answer:
        """Send a statement on the driver's connection."""
        ...

    def code(self, error: Exception) -> str | None:
        """Return what the database calls an error, `None` where it did not say any."""
        ...


class _Blocking:
    kind: ClassVar[Kind] = Kind.BLOCKING

    def turns(self, pool: Pool) -> AbstractAsyncContextManager[None]:
        if isinstance(pool, QueuePool) and pool.size():
            return ThreadTurns(pool.size(), pool.timeout())
        return nullcontext()

    async def take(self, pool: Pool) -> PoolProxiedConnection:
        return pool.connect()

    async def give_back(self, pool: Pool, connection: PoolProxiedConnection) -> None:
        connection.close()

    def forget(self) -> None:
        """Nothing is lent on."""

    async def close(self, pool: Pool) -> None:
        pool.dispose()


class _Asyncio:
    kind: ClassVar[Kind] = Kind.ASYNCIO

    def __init__(self) -> None:
        self._loans = Loans(LIMIT)

    def turns(self, pool: Pool) -> AbstractAsyncContextManager[None]:
        if isinstance(pool, QueuePool) and pool.size():
            return TaskTurns(pool.size(), LIMIT)
        return nullcontext()

    async def take(self, pool: Pool) -> PoolProxiedConnection:
        return await self._loans.take(pool)

    async def give_back(self, pool: Pool, connection: PoolProxiedConnection) -> None:
        await self._loans.give_back(pool, connection)

    def forget(self) -> None:
        """See `Driver.forget`."""
        self._loans.forget()

    async def close(self, pool: Pool) -> None:
        await self._loans.return_all()
        limit = LIMIT
        while True:
            try:
                async with asyncio.timeout(limit):
                    return await greenlet_spawn(pool.dispose)
            except TimeoutError:  # nobody says goodbye; the others are only let go of
                limit = 0

    def limit(self, connection: Any) -> None:
        """Each statement has its own."""


class Psycopg(_Blocking):
    """psycopg 3, in threads."""

    def limit(self, connection: Any) -> None:
        """See `Driver.limit`. In autocommit at once, as that is no change within a transaction."""
        connection.autocommit = True
        connection.wait = partial(connection.wait, timeout=LIMIT)

    def prepare(self, connection: Any) -> None:
        """See `Driver.prepare`."""
        connection.autocommit = True
        connection.execute(_POSTGRESQL)

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
        """See `Driver.prepare`."""
        connection.run_async(methodcaller("execute", _POSTGRESQL))

    async def say(self, connection: Any, statement: Statement, values: dict[str, Any]) -> Answer:
        """See `Driver.say`."""
        rows = await connection.fetch(statement.sql, *statement.given(values), timeout=LIMIT)
        return Answer(rows, len(rows))

    def code(self, error: Exception) -> str | None:
        """See `Driver.code`: an SQLSTATE."""
        return getattr(error, "sqlstate", None)


def is_late(error: BaseException) -> bool:
    """Tell whether an answer did not come in time; drivers have no common word for it."""
    return any("Timeout" in type(each).__name__ for each in (error, error.__context__))


class _MySQL:
    def prepare(self, connection: Any) -> None:
        if connection.character_set_name() != "utf8mb4":  # in some, a byte can hide a quote
            raise ConfigurationError("engine", "has to speak utf8mb4: leave charset away")
        connection.autocommit(True)
        cursor = connection.cursor()
        for statement in _MYSQL:
            cursor.execute(statement)
        cursor.close()

    def code(self, error: Exception) -> str | None:
        number = error.args[0] if error.args else None
        is_server_s = isinstance(number, int) and number >= 1_000 and number not in _OF_CLIENTS
        return str(number) if is_server_s else None

    def unless_there(self, error: Exception) -> Answer:
        if self.code(error) == _DUPLICATE:
            return Answer((), 0)
        raise error


_DUPLICATE = "1062"
_OF_CLIENTS = range(2_000, 3_000)
"""These are the client library's own, as is 0: there was no answer."""


class PyMySQL(_MySQL, _Blocking):
    """PyMySQL, in threads."""

    def limit(self, connection: Any) -> None:
        """See `Driver.limit`."""
        connection._read_timeout = connection._write_timeout = LIMIT

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
        async with asyncio.timeout(LIMIT), connection.cursor() as cursor:
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
