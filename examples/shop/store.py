"""The store that STORE says: one that is there, or by its name one of the shop's own."""

import contextlib
from collections.abc import Generator
from typing import Final

from coatcheck.cli import made_tables
from coatcheck.config import is_sql
from examples.shop.database import database
from examples.shop.redis_servers import redis_servers

_OWN: Final = {
    "redis": redis_servers,
    "valkey": redis_servers,
    "sentinel": redis_servers,
    "cluster": redis_servers,
    "postgresql": database,
    "mariadb": database,
}


@contextlib.contextmanager
def reached(store: str, *more: str) -> Generator[str]:
    """Give the URL of a store, with its tables if it is an SQL database.

    Starts one where `store` is only its name, in a folder that goes with it.

    Args:
        more: options of the servers that it starts.

    Raises:
        FleetError: it is not installed, or does not start.
        CoatcheckError: the tables cannot be made.
    """
    if start := _OWN.get(store):
        with start(store, *more) as url:
            yield url
    else:
        if is_sql(store.partition(":")[0]):
            made_tables.make(store)
        yield store
