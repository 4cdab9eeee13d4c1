"""How many sessions a user may have at once: what is too many ends, or is not let in (G4)."""

from collections.abc import Sequence

from coatcheck.core.events import SYSTEM
from coatcheck.core.policy import AtLimit
from coatcheck.core.record import Ended, Record
from coatcheck.ending import end
from coatcheck.errors import SessionLimitReached, Undecodable
from coatcheck.parts import Parts


async def surplus(parts: Parts, listed: Sequence[str], own: Sequence[str]) -> list[str]:
    """Return which of a user's sessions are to end as another one begins, the oldest last.

    Those are what is too many, and what expired: that counts for nothing, but a touch could keep
    it alive as long as it is there. Only the newest are looked at.

    Args:
        listed: the ids in their index, in order, the new one's among them; none if there is room.
        own: the new one's id, and that of a session whose place it takes.

    Raises:
        SessionLimitReached: the policy is to refuse, and there are as many as may be.
        StoreUnavailable: nobody can tell.
    """
    over: list[str] = []
    limit = parts.settings.policy.max_sessions
    if limit is None:
        return over
    room, refuses = limit - 1, parts.settings.policy.at_limit is AtLimit.REFUSE
    for id in reversed([id for id in listed if id not in own]):
        if (room == 0 and not refuses) or not await _lives(parts, id):
            over.append(id)
        elif room == 0:
            raise SessionLimitReached(limit)
        else:
            room -= 1
    return over


async def evict(parts: Parts, record: Record, over: Sequence[str]) -> bool:
    """End the sessions that `record`'s took the place of; tell whether that one still lives.

    If it does not, newer ones have taken its place already, and nothing is ended for it.

    Raises:
        StoreUnavailable: some may have ended, and some not.
    """
    if over and not await _lives(parts, record.id):
        return False
    for id in reversed(over):
        await end(parts, id, record.subject, Ended.EVICTED, actor=SYSTEM)
    return True


async def _lives(parts: Parts, id: str) -> bool:
    try:
        stored = await parts.store.load(id)
    except Undecodable:
        return True  # to another version of the application
    return isinstance(stored, Record) and parts.clock.now() < stored.expires_at
