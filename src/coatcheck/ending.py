"""End a session: its record, then its entry in the list of its subject (G3), then tell of it."""

from coatcheck import writes
from coatcheck.core.events import Happened
from coatcheck.core.record import NOBODY, Client, Ended, Record, Tombstone
from coatcheck.parts import Parts


async def end(
    parts: Parts,
    id: str,
    subject: str | None,
    why: Ended,
    *,
    actor: str,
    client: Client = NOBODY,
    reason: str | None = None,
    base: Record | None = None,
) -> bool:
    """End one session; tell whether there was one that was not over anyway.

    Args:
        actor: who does it, and from where (`client`) and why in their words (`reason`): for the
            event.
        base: end it only if this is what is stored.

    Raises:
        Conflict: not `base` is stored.
        StoreUnavailable: nobody can tell whether it ended.
    """
    tombstone = Tombstone.of(id, why, parts.clock.now())
    was_live = await writes.end(parts.store, tombstone, base)
    await writes.delist(parts.store, subject, id)
    if was_live:
        parts.tell(
            Happened.ENDED, id, subject, actor=actor, cause=why, client=client, reason=reason
        )
    return was_live
