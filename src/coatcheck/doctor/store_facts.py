"""Measure a store: its clock, how fast it finds a session, how large its sessions are."""

import secrets
import time
from dataclasses import dataclass

from coatcheck.clock import system
from coatcheck.core.record import Record
from coatcheck.stores.protocol import Store

_LOOK_UPS = 200
_RECORDS = 1_000


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What was measured.

    Attributes:
        latencies: seconds of each look-up, sorted.
        skew: milliseconds that the store's clock is ahead of this machine's.
        doubt: milliseconds that this may be wrong by.
        sizes: bytes of each stored session's data, at most a thousand.
    """

    latencies: list[float]
    skew: int
    doubt: int
    sizes: list[int]


async def measure(store: Store) -> StoreFacts:
    """Look sessions up that do not exist, and read some that do.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    before = system()
    theirs = await store.time()
    after = system()
    latencies: list[float] = []
    for _ in range(_LOOK_UPS):
        start = time.perf_counter()
        await store.load(secrets.token_hex(8))
        latencies.append(time.perf_counter() - start)
    records: list[Record] = []
    cursor: str | None = None
    while len(records) < _RECORDS:
        page = await store.page(None, cursor, 100)
        records += page.records
        if (cursor := page.next) is None:
            break
    sizes = [len(record.payload) for record in records[:_RECORDS]]
    skew = theirs - (before + after) // 2
    return StoreFacts(sorted(latencies), skew, (after - before + 1) // 2, sizes)
