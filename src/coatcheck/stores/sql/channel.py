"""The way to an SQL database: SQLAlchemy's pool, and on its connections the driver itself.

Every connection is in autocommit, so that a statement by itself is one round trip. One on which
anything went wrong is closed: nobody knows what it would answer next.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool, PoolProxiedConnection
from sqlalchemy.pool.base import ResetStyle

from coatcheck.backoff import back_off
from coatcheck.errors import CoatcheckError, ConfigurationError, StoreUnavailable
from coatcheck.forks import tell_of_forks
from coatcheck.stores.sql.advice import advice
from coatcheck.stores.sql.drivers import Answer, driver_of, is_late
from coatcheck.stores.sql.statements import Statement

T = TypeVar("T")
TRIES = 8
"""How often something is tried that the database gives up for another's."""
_GIVEN_UP = {"40001", "40P01", "1213"}
_LOST = {"57P01", "57P02", "57P03", "25006", "1053", "1927", "4031", "1290", "1836"}
"""The server shuts down, has closed the connection, or is no primary any more."""
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

    Attributes:
        kind, code: see `Driver`.
    """

    def __init__(self, engine: Engine, transaction: tuple[Statement, Statement, Statement]) -> None:
        self._driver, self._name = driver_of(engine), engine.name
        self.kind, self.code = self._driver.kind, self._driver.code
        self._begin, self._commit, self._rollback = transaction
        self._start(engine.pool)
        event.listen(self._pool, "connect", self._limit, insert=True)
        event.listen(self._pool, "connect", self._prepare)
        tell_of_forks(self, in_child=Channel._leave_to_parent)

    def _start(self, pool: Pool) -> None:
        """Connect as a pool does, in a new one."""
        self._pool = pool.recreate()
        # Nothing is ever left to roll back, and to do it is a round trip on MySQL.
        self._pool._reset_on_return = ResetStyle.reset_none  # pyright: ignore[reportPrivateUsage]
        self._turns = self._driver.turns(self._pool)

    def _leave_to_parent(self) -> None:
        """Connect anew: each would be told what the other one asked for."""
        _INHERITED.append((self._driver, self._pool))
        self._driver = type(self._driver)()
        self._start(self._pool)

    def _limit(self, connection: Any, _: object) -> None:
        self._driver.limit(connection)

    def _prepare(self, connection: Any, _: object) -> None:
        self._driver.prepare(connection)

    async def run(self, statement: Statement, /, **values: Any) -> Answer:
        """Send one statement by itself.

        Raises:
            StoreUnavailable: there is no answer, or none that can be trusted.
            ConfigurationError: the tables are missing, or the connection is of no use.
        """
        return await self._until_done(partial(self._run, statement, values))

    async def transact(self, work: Callable[[Say], Awaitable[T]]) -> T:
        """Do `work` in a transaction. What it raises of ours undoes it.

        Raises:
            StoreUnavailable: there is no answer, or none that can be trusted.
            ConfigurationError: the tables are missing, or the connection is of no use.
        """
        return await self._until_done(partial(self._transact, work))

    async def _until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again what is known not to have been done: it is given up, or was cut off before."""
        number = 0
        while True:
            try:
                return await attempt()
            except _NotDoneError as error:
                if number >= TRIES:
                    raise self.translated(error.reason) from None
            number = await back_off(number)

    async def _run(self, statement: Statement, values: dict[str, Any]) -> Answer:
        driver = self._driver
        connection: PoolProxiedConnection | None = None
        try:
            async with self._turns:
                connection = await driver.take(self._pool)
                answer = await driver.say(connection.driver_connection, statement, values)
                await driver.give_back(self._pool, connection)
        except BaseException as error:
            raise self._failed(connection, error, may_repeat=statement.only_reads) from None
        return answer

    async def _transact(self, work: Callable[[Say], Awaitable[T]]) -> T:
        driver = self._driver
        connection: PoolProxiedConnection | None = None
        is_open = True
        try:
            async with self._turns:
                connection = await driver.take(self._pool)
                raw = connection.driver_connection

                async def say(statement: Statement, /, **values: Any) -> Answer:
                    return await driver.say(raw, statement, values)

                await say(self._begin)
                try:
                    result = await work(say)
                except CoatcheckError:
                    await say(self._rollback)
                    await driver.give_back(self._pool, connection)
                    raise
                is_open = False
                await say(self._commit)
                await driver.give_back(self._pool, connection)
        except CoatcheckError:
            raise
        except BaseException as error:
            raise self._failed(connection, error, may_repeat=is_open) from None
        return result

    async def close(self) -> None:
        """Let go of the connections. Twice is fine."""
        await self._driver.close(self._pool)

    def _failed(
        self, connection: PoolProxiedConnection | None, error: BaseException, *, may_repeat: bool
    ) -> BaseException:
        """Close a connection, and return what is to be raised.

        If the server has let go of it or is silent, all other connections are closed before their
        next use, as each of them would fail once.

        Args:
            may_repeat: whether nothing was done if the server has let go of the connection.
        """
        code = self._driver.code(error) if isinstance(error, Exception) else "cancelled"
        is_lost = code is None or code in _LOST or code.startswith("08")
        if connection is not None and connection.is_valid:
            if is_lost:
                # It is how SQLAlchemy's own connections do it; there is no public name for it.
                self._pool._invalidate(connection)  # pyright: ignore[reportPrivateUsage]
                self._driver.forget()
            else:
                connection.invalidate()
            may_repeat = may_repeat and is_lost and not is_late(error)
            if code in _GIVEN_UP or may_repeat:
                return _NotDoneError(error)
        return self.translated(error)

    def translated(self, error: BaseException) -> BaseException:
        """Say what went wrong and what to do, without a driver's own text: that has values."""
        if not isinstance(error, Exception) or isinstance(error, CoatcheckError):
            return error
        code = self._driver.code(error)
        if code in _NO_TABLE:
            return ConfigurationError(
                "store", "has no tables yet: `coatcheck tables URL` makes them"
            )
        what = type(error).__name__ + (f" {code}" if code else "")
        do = advice(error, code)
        return StoreUnavailable(f"{self._name}: {what}" + (f": {do}" if do else ""))


_INHERITED: list[object] = []
"""What is never closed here, or collected: it would say goodbye in the parent's name."""


class _NotDoneError(Exception):
    """Nothing was done, so that it may be tried again."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason
