"""Writes that may go unanswered: repeat what is safe to repeat, and say so where it is not."""

from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.protocol import Conflict, Store, Unconfirmed


async def save(store: Store, record: Record, base: Record | None) -> None:
    """Save; when no answer comes, look whether it was applied before trying once more (S4).

    Raises:
        Conflict: something else was saved in between.
        Undecodable: what is stored cannot be read; it stays.
        StoreUnavailable: nobody can tell whether it was applied.
    """
    try:
        return await store.save(record, base)
    except Unconfirmed:
        raise
    except StoreUnavailable as error:
        doubt = error
    stored = await store.load(record.id)
    if record.is_same_save(stored):
        return None
    if stored is base if base is None else base.is_same_save(stored):
        return await store.save(record, base)
    if base is not None and _proves_not_applied(base, stored):
        raise Conflict(stored)
    raise doubt


def _proves_not_applied(base: Record, stored: Stored) -> bool:
    if isinstance(stored, Record):
        return stored.version == base.version + 1  # the place of our save is another's
    return not (isinstance(stored, Tombstone) and stored.why == Ended.MOVED)


async def end(store: Store, tombstone: Tombstone, base: Record | None = None) -> bool:
    """End; when no answer comes, once more. Finding one's own tombstone then is success.

    Returns:
        Whether this call ended a session that was not over anyway.

    Raises:
        Conflict: not `base` is stored.
        Undecodable: what is stored instead of `base` cannot be read; it stays.
        StoreUnavailable: the second try had no answer either.
    """
    try:
        return _was_live(await store.end(tombstone, base), tombstone.at)
    except StoreUnavailable:
        pass
    try:
        found = await store.end(tombstone, base)
    except Conflict as conflict:
        if conflict.stored != tombstone:
            raise
        return True
    return found == tombstone or _was_live(found, tombstone.at)


def _was_live(stored: Stored, now: int) -> bool:
    return isinstance(stored, Record) and now < stored.expires_at


async def enlist(
    store: Store, record: Record, opened_at: int, own_bar: int, limit: int | None
) -> list[str] | None:
    """Add an index entry; when no answer comes, once more, as repeating it does no harm."""
    try:
        return await store.enlist(record, opened_at, own_bar, limit)
    except StoreUnavailable:
        return await store.enlist(record, opened_at, own_bar, limit)


async def tally(store: Store, key: str, now: int, until: int) -> int:
    """Count one more; when no answer comes, once more, as that can only make it one too many."""
    try:
        return await store.tally(key, now, until)
    except StoreUnavailable:
        return await store.tally(key, now, until)


async def delist(store: Store, subject: str | None, id: str) -> None:
    """Remove an index entry; one that stays is pruned when it is read."""
    if subject is not None:
        try:
            await store.delist(subject, id)
        except StoreUnavailable:
            return
