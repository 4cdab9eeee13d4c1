"""Write a new session: the record, then its index entry (G1), or neither."""

from contextlib import suppress
from typing import NamedTuple

from coatcheck import writes
from coatcheck.core.change import check_size
from coatcheck.core.draft import first, following
from coatcheck.core.events import Happened
from coatcheck.core.intents import SignIn
from coatcheck.core.record import Ended, Record, Tombstone
from coatcheck.core.state import State
from coatcheck.core.token import Token
from coatcheck.errors import InsecureTransport, StoreUnavailable, Unauthenticated
from coatcheck.parts import Parts
from coatcheck.stores.protocol import Conflict


class Created(NamedTuple):
    """A new session, whose token nobody has yet."""

    record: Record
    token: Token
    content: bytes


async def create(parts: Parts, state: State, content: bytes, sign_in: SignIn | None) -> Created:
    """Write a session of whoever signs in, or of a visitor.

    Raises:
        InsecureTransport: nobody could be handed its token.
        Unauthenticated: all sessions of the user were ended since the request was opened (G2).
        SessionTooLarge, StoreUnavailable: nothing is left of it.
    """
    if not state.is_deliverable:
        raise InsecureTransport
    settings = state.settings
    check_size(content, settings)
    token, now = parts.mint(), parts.clock.now()
    record = first(token, sign_in, state.client, settings.policy, now, parts.random(8))
    record = settings.filled(record, content)
    try:
        await writes.save(parts.store, record, None)
        await enlist(parts, state, record)
    except BaseException:
        await take_back(parts, record)
        raise
    return Created(record, token, content)


async def rewrite(parts: Parts, state: State, new: Created, content: bytes) -> Created:
    """Write the new session once more; only an `end_all` can have come in between.

    Raises:
        Unauthenticated: it did.
    """
    check_size(content, state.settings)
    record = following(new.record, new.record.seen_at, parts.random(8))
    record = state.settings.filled(record, content)
    try:
        await writes.save(parts.store, record, new.record)
    except Conflict as conflict:
        raise Unauthenticated("all sessions of the user were ended meanwhile") from conflict
    return new._replace(record=record, content=content)


async def enlist(parts: Parts, state: State, record: Record) -> None:
    """Add the index entry of a stored record.

    Raises:
        Unauthenticated: the bar of the subject forbids it.
        StoreUnavailable: the store did not answer.
    """
    subject = record.subject
    if subject is None:
        return
    own_bar = state.bar[1] if state.bar and state.bar[0] == subject else 0
    opened_at = state.opened_at - parts.clock.error
    if not await writes.enlist(parts.store, record, opened_at, own_bar):
        parts.tell(Happened.SIGN_IN_REFUSED, record.id, subject)
        raise Unauthenticated("all sessions of the user were ended while this one signed in")


async def take_back(parts: Parts, record: Record) -> None:
    """Remove a session whose token nobody got; one that stays is of no use and expires."""
    with suppress(StoreUnavailable):
        await writes.end(parts.store, Tombstone.of(record.id, Ended.REFUSED, parts.clock.now()))
        await writes.delist(parts.store, record.subject, record.id)
