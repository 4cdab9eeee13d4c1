"""Requests of all kinds at once, half of them cancelled; each answer tells whose it is."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from coatcheck import Store
from coatcheck.core.record import Record
from coatcheck.stores.protocol import Barred, Conflict
from coatcheck.testing import make_record

KINDS = 5
APART = 1_000_000


async def make_records(store: Store, number: int) -> list[Record]:
    """Save records that are told apart by what they hold, and that by the number in it."""
    records = [make_record(payload=b"%d " % n * 200) for n in range(number)]
    for record in records:
        await store.save(record, None)
    return records


async def cancel(store: Store, records: list[Record], number: int) -> None:
    """Cancel so many requests in mid-flight; the others get their own answers, then and later."""
    cancelled = answered = 0
    while cancelled < number:
        random.shuffle(records)
        work = [asyncio.create_task(_ask(store, n, one)) for n, one in enumerate(records)]
        if random.random() < 0.7:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        await turns(20)
        for task in random.sample(work, len(work) // 2):
            task.cancel()
        results = await asyncio.gather(*work, return_exceptions=True)
        for n, (record, result) in enumerate(zip(records, results, strict=True)):
            if isinstance(result, asyncio.CancelledError):
                cancelled += 1
            else:
                answered += 1
                assert _is_answer(n, record, result), result
    assert answered > number // 4
    async with asyncio.timeout(60):
        loads = (store.load(record.id) for record in records * 3)
        assert await asyncio.gather(*loads) == records * 3


async def turns(most: int) -> None:
    """Let the event loop turn a few times, so that a cancellation strikes anywhere."""
    for _ in range(random.randint(0, most)):
        await asyncio.sleep(0)


def _ask(store: Store, n: int, record: Record) -> Coroutine[Any, Any, Any]:
    """Ask in turn for a record, nothing, a conflict, a transaction, and the time."""
    if n % KINDS == 0:
        return store.load(record.id)
    if n % KINDS == 1:
        return store.touch(record, record.seen_at)
    if n % KINDS == 2:
        return store.save(record._replace(stamp=b"another!"), None)
    if n % KINDS == 3:
        return store.bar(record.id, _place(record))
    return store.time()


def _is_answer(n: int, record: Record, result: object) -> bool:
    if n % KINDS == 0:
        return result == record
    if n % KINDS == 1:
        return result is None
    if n % KINDS == 2:
        return isinstance(result, Conflict) and result.stored == record
    if n % KINDS == 3:
        return isinstance(result, Barred) and result.bar // APART == _place(record) // APART
    return isinstance(result, int)


def _place(record: Record) -> int:
    """Return the least bar of a record, far from that of every other."""
    return (int(record.payload.split()[0]) + 1) * APART
