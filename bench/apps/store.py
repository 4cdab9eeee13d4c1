"""The store that the benchmark chose."""

import os

from coatcheck import store_from_url
from coatcheck.core.record import Record, Stored
from coatcheck.stores.memory import MemoryStore
from coatcheck.stores.protocol import Store

STORE = os.environ.get("BENCH_STORE", "memory:")
BETWEEN = "between:"
"""In front of the URL of a server, with which a store in memory has bare exchanges."""


def blocking_store() -> Store:
    """Return it for applications that threads serve."""
    return _Between() if STORE.startswith(BETWEEN) else store_from_url(STORE, blocking=True)


class _Between(MemoryStore):
    """What coatcheck would cost with a server if its own part in asking it cost nothing."""

    def __init__(self) -> None:
        from bench.apps.exchange import EXCHANGE  # noqa: PLC0415 - it connects

        super().__init__()
        self._exchange = EXCHANGE

    async def load(self, id: str, /) -> Stored:
        self._exchange.read()
        return await super().load(id)

    async def save(self, record: Record, base: Record | None, /) -> None:
        self._exchange.write()
        await super().save(record, base)
