"""The way to an SQL database: SQLAlchemy's pool, and on its connections the driver itself.

Every connection is in autocommit, so that a statement by itself is one round trip. One on which
anything went wrong is closed: nobody knows what it would answer next.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine, event
from sqlalchemy.pool import PoolProxiedConnection

from coatcheck.backoff import back_off
from coatcheck.errors import CoatcheckError, ConfigurationError, StoreUnavailable
from coatcheck.stores.sql_drivers import Answer, driver_of
from coatcheck.stores.sql_statements import Statement

T = TypeVar("T")
TRIES = 8
"""How often a transaction is tried that the database gives up for another's."""
_GIVEN_UP = {"40001", "40P01", "1205", "1213"}
_NO_TABLE = {"42P01", "1146"}


class Say(Protocol):
    """Sends a statement on one connection."""

    async def __call__(self, statement: Statement, /, **values: Any) -> Answer:
        """Return what it did."""
        ...


class Channel:
    """Sends statements, one by one or in a transaction.

    Args:
        engine: whose way of connecting is used, in a pool of its own: nothing of an application's
            own connections and transactions is touched.
        transaction: begin, commit and rollback.
    """

    def __init__(self, engine: Engine, transaction: tuple[Statement, Statement, Statement]) -> None:
        self._driver, self._name = driver_of(engine), engine.name
        self.kind = self._driver.kind
        self._begin, self._commit, self._rollback = transaction
        self._pool = engine.pool.recreate()
        event.listen(self._pool, "connect", self._prepare)

    def _prepare(self, connection: Any, _: object) -> None:
        self._driver.prepare(connection)

    async def run(self, statement: Statement, /, **values: Any) -> Answer:
        """Send one statement by itself.

        Raises:
            StoreUnavailable: there is no answer, or none that can be trusted.
            ConfigurationError: the tables are missing.
        """
        driver = self._driver
        connection: PoolProxiedConnection | None = None
        try:
            connection = await driver.take(self._pool)
            answer = await driver.say(connection.driver_connection, statement, values)
            await driver.give_back(connection)
        except BaseException as error:
            self._drop(connection, error)
            raise self._translated(error) from None
        return answer

    async def transact(self, work: Callable[[Say], Awaitable[T]]) -> T:
        """Do `work` in a transaction, again where the database gives it up for another's.

        What `work` raises of ours undoes it.

        Raises:
            StoreUnavailable: there is no answer, or none that can be trusted.
            ConfigurationError: the tables are missing.
        """
        attempt = 0
        while True:
            try:
                return await self._transact(work)
            except _GivenUpError as error:
                if attempt >= TRIES:
                    raise self._translated(error.reason) from None
            attempt = await back_off(attempt)

    async def _transact(self, work: Callable[[Say], Awaitable[T]]) -> T:
        driver = self._driver
        connection: PoolProxiedConnection | None = None
        try:
            connection = await driver.take(self._pool)
            raw = connection.driver_connection

            async def say(statement: Statement, /, **values: Any) -> Answer:
                return await driver.say(raw, statement, values)

            await say(self._begin)
            try:
                result = await work(say)
                await say(self._commit)
            except Exception as error:
                given_up = driver.code(error) in _GIVEN_UP
                if not given_up and not isinstance(error, CoatcheckError):
                    raise
                await say(self._rollback)
                await driver.give_back(connection)
                if given_up:
                    raise _GivenUpError(error) from None
                raise
            await driver.give_back(connection)
        except (CoatcheckError, _GivenUpError):
            raise
        except BaseException as error:
            self._drop(connection, error)
            raise self._translated(error) from None
        return result

    async def close(self) -> None:
        """Let go of the connections. Twice is fine."""
        await self._driver.close(self._pool)

    def _drop(self, connection: PoolProxiedConnection | None, error: BaseException) -> None:
        """Close a connection, and before their next use all others of a database that is gone.

        Each of them would fail once. What takes too long says nothing about others.
        """
        if connection is None:
            return
        is_gone = isinstance(error, Exception) and not self._driver.code(error)
        if is_gone and not isinstance(error, TimeoutError):
            # It is how SQLAlchemy's own connections do it; there is no public name for it.
            self._pool._invalidate(connection, error)  # pyright: ignore[reportPrivateUsage]
        if connection.is_valid:
            connection.invalidate()

    def _translated(self, error: BaseException) -> BaseException:
        """Say what went wrong, without anything that a driver put into its text: it has values."""
        if not isinstance(error, Exception):
            return error
        code = self._driver.code(error)
        if code in _NO_TABLE:
            return ConfigurationError(
                "store", "has no tables yet: `coatcheck tables URL` makes them"
            )
        what = type(error).__name__ + (f" {code}" if code else "")
        return StoreUnavailable(f"{self._name}: {what}")


class _GivenUpError(Exception):
    """The database gave a transaction up for another's, so that it may be tried again."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason
