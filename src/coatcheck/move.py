"""Sign in as somebody else than the session's subject: a new session takes the old one's place.

And leave what a proof puts an end to: the visitor's session beside the one that was withheld, or,
where somebody else signs in, the withheld one.
"""

from coatcheck import writes
from coatcheck.backoff import back_off
from coatcheck.core.change import Change, moved, own
from coatcheck.core.events import Happened
from coatcheck.core.fate import is_same_hold
from coatcheck.core.intents import SignIn
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.state import State
from coatcheck.core.verdict import Verdict, decide
from coatcheck.creation import Created, create, rewrite, take_back
from coatcheck.errors import (
    CoatcheckError,
    StoreUnavailable,
    Superseded,
    Unauthenticated,
    Undecodable,
)
from coatcheck.parts import Parts
from coatcheck.rekeyed import tell_of_key
from coatcheck.stores.protocol import Conflict


class _Doubt(StoreUnavailable):
    """Nobody can tell whether the old session is closed."""


async def move(parts: Parts, state: State, change: Change, sign_in: SignIn) -> Created:
    """Create and list the new session, then close the old one in the version copied (P3).

    Whatever goes wrong in between, the new session is taken back and the old one stays; except when
    nobody can tell whether the old one is closed, as then the new one may be all there is.
    """
    new = await create(parts, state, change.content, sign_in)
    try:
        new = await _close(parts, state, change, sign_in, new)
    except _Doubt:
        raise
    except BaseException:
        await take_back(parts, new.record)
        raise
    tell_of_key(parts, change.base, new.record)
    return new


async def _close(
    parts: Parts, state: State, change: Change, sign_in: SignIn, new: Created
) -> Created:
    base = change.base
    found: Stored = base
    attempt = 0
    while True:
        if isinstance(found, Record) and decide(base, sign_in, found) is Verdict.APPLY:
            if state.carries and found is not base:
                new = await rewrite(parts, state, new, _copied(change, found, state))
            try:
                await _end(parts, base, sign_in.subject, found)
                parts.tell_of(state, Happened.ENDED, base, cause=Ended.MOVED, to=new.record.id)
                return new
            except Conflict as conflict:
                found = conflict.stored
            except StoreUnavailable as error:
                raise _Doubt(str(error)) from error
            except Undecodable as error:
                raise Superseded("another version of the application wrote the session") from error
        elif sign_in.login is not None:
            parts.tell(Happened.SUPERSEDED, base.id, base.subject)
            raise lost(found)  # nobody proved who they are in this request
        elif decide(base, sign_in, found) is Verdict.KEEP or not state.carries:
            return new
        else:
            parts.tell_of(state, Happened.DROPPED, base)
            return await rewrite(parts, state, new, own(change, state.settings))
        attempt = await back_off(attempt)


async def leave(parts: Parts, state: State) -> None:
    """Close what gives way to who was proved, now that this is stored; else it stays beside."""
    for record in state.leaving:
        try:
            await _leave(parts, state, record)
        except Undecodable:
            continue  # another version of the application wrote it
        except StoreUnavailable as error:
            parts.tell(Happened.UNAVAILABLE, record.id, during=f"end: {error}")


async def _leave(parts: Parts, state: State, left: Record) -> None:
    """Do so unless it changed hands; a visitor's only in the version that was copied (P3)."""
    found: Stored = left
    attempt, instead = 0, state.base
    while instead and isinstance(found, Record) and is_same_hold(left, found):
        try:
            if await _end(parts, left, instead.subject, found):
                parts.tell_of(state, Happened.ENDED, left, cause=Ended.MOVED, to=instead.id)
            return
        except Conflict as conflict:
            found = conflict.stored if left.subject else None
        attempt = await back_off(attempt)


def lost(found: Stored) -> CoatcheckError:
    """Return the error of a privilege change whose session is not what it was."""
    if isinstance(found, Record) or (found is not None and found.why == Ended.MOVED):
        return Superseded("the session changed its privileges or moved on while this request ran")
    return Unauthenticated("the session ended while this request ran")


def _copied(change: Change, found: Record, state: State) -> bytes:
    try:
        return moved(change, found, state.settings)
    except Undecodable as error:
        raise Superseded("another version of the application wrote the session") from error


async def _end(parts: Parts, base: Record, subject: str | None, copied: Record) -> bool:
    tombstone = Tombstone.of(base.id, Ended.MOVED, parts.clock.now(), subject)
    was_live = await writes.end(parts.store, tombstone, copied)
    await writes.delist(parts.store, base.subject, base.id)
    return was_live
