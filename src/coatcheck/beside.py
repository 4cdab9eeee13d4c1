"""Close what is left behind when a user is proved whose session was withheld (`core.doubt`).

A visitor's session that stood beside it goes into it, once and to nobody else (P5): first that one
is saved, then the visitor's is closed in the version copied, as for any sign-in (P3). Whoever signs
in as somebody else leaves the withheld session.
"""

from typing import NamedTuple

from coatcheck import writes
from coatcheck.backoff import back_off
from coatcheck.core.doubt import Doubt, Visitor, joined
from coatcheck.core.events import Happened
from coatcheck.core.fate import is_same_hold
from coatcheck.core.intents import moving
from coatcheck.core.merge import merge
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.settings import Settings
from coatcheck.core.state import State
from coatcheck.creation import save_again
from coatcheck.errors import StoreUnavailable, Undecodable
from coatcheck.parts import Parts
from coatcheck.stores.protocol import Conflict


class Saved(NamedTuple):
    """A session as it is stored."""

    record: Record
    content: bytes

    def __repr__(self) -> str:
        return f"<Saved {self.record!r}>"


async def leave(parts: Parts, state: State, doubt: Doubt, saved: Saved) -> Saved:
    """Do so once the proof is stored; return what is stored then.

    What cannot be closed stays beside: the token of before is dead by now.

    Raises:
        Unauthenticated: the session was ended meanwhile.
        SessionTooLarge, TooManyKeys: with what the visitor put in at this very moment.
        StoreUnavailable: nobody can tell what is stored.
    """
    visitor, state.visitor = state.visitor, None
    if doubt.subject != saved.record.subject:
        await _close(parts, state, doubt.record, saved.record)
        return saved
    attempt = 0
    while visitor is not None:
        try:
            await _close(parts, state, visitor.record, saved.record, visitor.record)
            break
        except Conflict as conflict:
            found = conflict.stored
        except Undecodable:  # another version of the application wrote it
            break
        if isinstance(found, Tombstone) and found.moved_to_subject == saved.record.subject:
            break
        attempt = await back_off(attempt)
        now = _now(visitor, found, state.settings)
        content = _rejoined(doubt, visitor, now, saved.content, state.settings)
        saved = Saved(await save_again(parts, state, saved.record, content), content)
        visitor = now
    return saved


async def _close(
    parts: Parts, state: State, left: Record, instead: Record, base: Record | None = None
) -> None:
    tombstone = Tombstone.of(left.id, Ended.MOVED, parts.clock.now(), instead.subject)
    try:
        was_live = await writes.end(parts.store, tombstone, base)
    except StoreUnavailable as error:
        parts.tell(Happened.UNAVAILABLE, left.id, during=f"end: {error}")
        return
    await writes.delist(parts.store, left.subject, left.id)
    if was_live:
        parts.tell_of(state, Happened.ENDED, left, cause=Ended.MOVED, to=instead.id)


def _now(visitor: Visitor, found: Stored, settings: Settings) -> Visitor | None:
    """Return the visitor's session as others saved it meanwhile; `None` if it went elsewhere."""
    if not isinstance(found, Record) or not is_same_hold(visitor.record, found):
        return None
    try:
        return visitor._replace(record=found, content=settings.content(found))
    except Undecodable:
        return visitor._replace(record=found)


def _rejoined(
    doubt: Doubt, visitor: Visitor, now: Visitor | None, content: bytes, settings: Settings
) -> bytes:
    """Return the session's content with the visitor's data as it is now, or without it."""
    decode = settings.codec.decode
    before = joined(doubt.data, moving(decode(visitor.content)))
    after = joined(doubt.data, moving(decode(now.content)) if now else {})
    return settings.codec.encode(merge(before, after, decode(content), {}, []))
