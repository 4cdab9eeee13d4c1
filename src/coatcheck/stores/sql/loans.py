"""Connections of SQLAlchemy's pool for asyncio that are lent on, from who is done to who is next.

To ask that pool takes a greenlet each way, which costs more than most statements.
"""

import asyncio
import time
from typing import Any

from sqlalchemy.pool import Pool, PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

LENT_FOR = 1.0
"""Seconds after which the pool gets a connection back."""
_SINCE = "coatcheck.since"


class Loans:
    """Lends them on; for one at a time who has a turn.

    Args:
        limit: for how many seconds the pool is waited for.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._idle: list[PoolProxiedConnection] = []
        self._lost_at = 0.0

    async def take(self, pool: Pool) -> PoolProxiedConnection:
        """Return a connection that was lent before, or else one of the pool's.

        Raises:
            TimeoutError: the pool had none in time.
        """
        if self._idle:
            connection = self._idle.pop()
            if self._is_fresh(connection):
                return connection
            await greenlet_spawn(connection.close)
        async with asyncio.timeout(self._limit):
            connection = await greenlet_spawn(pool.connect)
        connection.info[_SINCE] = time.monotonic()
        return connection

    async def give_back(self, pool: Pool, connection: PoolProxiedConnection) -> None:
        """Keep a connection that is as it was for the next, or let the pool have it."""
        if self._is_fresh(connection) and _may_lend(pool):
            self._idle.append(connection)
        else:
            await greenlet_spawn(connection.close)

    def forget(self) -> None:
        """Lend nothing on that was taken before, as its server is lost; the pool then closes it."""
        self._lost_at = time.monotonic()

    async def return_all(self) -> None:
        """Let the pool have what nobody uses."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await greenlet_spawn(connection.close)

    def _is_fresh(self, connection: PoolProxiedConnection) -> bool:
        taken: float = connection.info[_SINCE]
        return max(self._lost_at, time.monotonic() - LENT_FOR) < taken


def _may_lend(pool: Pool) -> bool:
    """Tell whether nothing is to happen each time that a pool lends a connection or has it back."""
    settings: Any = pool
    heard: Any = pool.dispatch
    is_checked = settings._pre_ping or 0 <= settings._recycle <= LENT_FOR
    return not (is_checked or heard.checkout or heard.checkin or heard.reset)
