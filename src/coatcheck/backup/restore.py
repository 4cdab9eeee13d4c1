"""Put sessions of one user, or one visitor's, into a store: the record, then its entry (G1).

Nothing that is there is overwritten, nothing that ended is revived, and the user's sessions are in
the order in which they were begun afterwards, however they come.
"""

from collections.abc import Sequence
from enum import StrEnum

from coatcheck import writes
from coatcheck.backup.order import in_order, misplaced, opened_at
from coatcheck.core.record import Ended, Record, Tombstone
from coatcheck.errors import Undecodable
from coatcheck.stores.protocol import Conflict, Store

_PAGE = 250
_ROUNDS = 3
_NOBODY = ""
"""No user has this id, so that everybody's bar alone counts."""


class Fate(StrEnum):
    """What became of a session; the names are those of `Imported`."""

    IMPORTED = "imported"
    THERE = "there"
    ENDED = "ended"
    EXPIRED = "expired"


async def restore(store: Store, records: Sequence[Record], now: int) -> list[Fate]:
    """Put records of one subject into the store, or that of one visitor; tell what became of each.

    Raises:
        StoreUnavailable: some may be there; do it again.
    """
    records = in_order(records)
    fates: list[Fate] = []
    listed: Sequence[str] = ()
    for record in records:
        fate = await _save(store, record, now)
        if fate is Fate.IMPORTED and record.subject is not None:
            index = await _enlist(store, record, now)
            listed, fate = (listed, Fate.ENDED) if index is None else (index, fate)
        fates.append(fate)
    subject = records[0].subject
    new = [each.id for each, fate in zip(records, fates, strict=True) if fate is Fate.IMPORTED]
    if subject is None or (Fate.THERE not in fates and list(listed) == new):
        return fates
    if Fate.THERE in fates:
        listed = [each.id for each in await _listed(store, subject)]
    for place, record in enumerate(records):
        if fates[place] is Fate.THERE and record.id not in listed:
            fates[place] = await _list_again(store, record, now)
    await _arrange(store, subject)
    return fates


async def _save(store: Store, record: Record, now: int) -> Fate:
    if now >= record.expires_at:
        return Fate.EXPIRED
    try:
        stored = await store.load(record.id)
        if stored is None:
            subject = _NOBODY if record.subject is None else record.subject
            if await store.is_barred(subject, opened_at(record)):
                return Fate.ENDED
            await writes.save(store, record, None)
            return Fate.IMPORTED
    except Conflict as conflict:
        stored = conflict.stored
    except Undecodable:  # to this version
        return Fate.THERE
    return Fate.ENDED if isinstance(stored, Tombstone) else Fate.THERE


async def _enlist(store: Store, record: Record, now: int) -> Sequence[str] | None:
    """Add the entry of a stored record; return the index.

    If all sessions of the user ended meanwhile (G2), that one ends, too: `None`.
    """
    index = await _move(store, record)
    if index is None:
        await writes.end(store, Tombstone.of(record.id, Ended.END_ALL, now))
        await writes.delist(store, record.subject, record.id)
    return index


async def _list_again(store: Store, record: Record, now: int) -> Fate:
    """Add the entry that an import did not come to, when it was interrupted."""
    try:
        stored = await store.load(record.id)
    except Undecodable:
        return Fate.THERE
    if isinstance(stored, Record) and stored.subject == record.subject:
        return Fate.ENDED if await _enlist(store, stored, now) is None else Fate.THERE
    return Fate.THERE if isinstance(stored, Record) else Fate.ENDED


async def _arrange(store: Store, subject: str) -> None:
    """Bring the index of a subject into order; again, if somebody signed in meanwhile.

    What a bar keeps from being moved is the one session that an end of all kept, the oldest now; or
    it is about to end.
    """
    for _ in range(_ROUNDS):
        wanted = await _listed(store, subject)
        index = await _move(store, wanted[-1]) if wanted else None
        if not index or not (late := misplaced(index, wanted)):
            return
        for record in late:
            await _move(store, record)


async def _move(store: Store, record: Record) -> Sequence[str] | None:
    """Put an entry at the end; return the index, or `None` if a bar forbids it."""
    return await writes.enlist(store, record, opened_at(record), 0, 0)


async def _listed(store: Store, subject: str) -> list[Record]:
    """Return the subject's sessions in their order, without their data."""
    records: list[Record] = []
    after = None
    while True:
        page = await store.page(subject, after, _PAGE)
        records += [record._replace(payload=b"") for record in page.records]
        if (after := page.next) is None:
            return in_order(records)
