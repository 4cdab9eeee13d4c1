"""Sessions to be exported, and what a store holds, to be compared."""

from collections.abc import Iterable
from pathlib import Path

from coatcheck import Store
from coatcheck.clock import system
from coatcheck.core.record import Ended, Record, Tombstone
from coatcheck.testing.stores import HOUR, make_record


def of_alice(number: int) -> list[Record]:
    """Sessions of one user, the oldest first; their ids, which are random, have no such order."""
    now = system()
    first = now - number * 1_000
    return [
        make_record(
            subject="alice",
            created_at=first + 1_000 * place - 500,
            authenticated_at=first + 1_000 * place,
            seen_at=now - 60_000,
            ends_at=now + 12 * HOUR,
        )
        for place in range(number)
    ]


async def put(store: Store, records: Iterable[Record]) -> None:
    """Put records into a store, in this order."""
    for record in records:
        await store.save(record, None)
        assert await store.enlist(record, record.created_at, 0) == []


async def all_of(store: Store, subject: str | None = None) -> dict[str, Record]:
    """All records of a store, or of one subject's, by their ids."""
    found: dict[str, Record] = {}
    after = None
    while True:
        page = await store.page(subject, after, 100)
        found |= {record.id: record for record in page.records}
        if (after := page.next) is None:
            return found


async def order(store: Store, subject: str) -> list[str]:
    """The index of a subject, in its order, as adding one more entry tells it."""
    probe = make_record(subject=subject)
    await store.save(probe, None)
    listed = await store.enlist(probe, 2**52, 0, 0)
    assert listed is not None
    assert listed.pop() == probe.id
    await store.end(tombstone(probe))
    await store.delist(subject, probe.id)
    return listed


def files(folder: Path) -> dict[str, int]:
    """The names of exports in a folder, whole or not, and who may read each."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*.backup*")}


def tombstone(record: Record) -> Tombstone:
    return Tombstone.of(record.id, Ended.END, system())
