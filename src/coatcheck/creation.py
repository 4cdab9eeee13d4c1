"""Write a new session: the record, then its index entry (G1), or neither."""

from collections.abc import Sequence
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
from coatcheck.errors import (
    InsecureTransport,
    SessionLimitReached,
    StoreUnavailable,
    Unauthenticated,
)
from coatcheck.limit import surplus
from coatcheck.parts import Parts
from coatcheck.stores.protocol import Conflict


class Created(NamedTuple):
    """A new session, whose token nobody has yet.

    Attributes:
        over: the sessions that end before anybody gets it.
    """

    record: Record
    token: Token
    content: bytes
    over: Sequence[str]

    def __repr__(self) -> str:
        return f"<Created {self.record!r}>"


async def create(
    parts: Parts,
    state: State,
    content: bytes,
    sign_in: SignIn | None,
    instead_of: Record | None = None,
) -> Created:
    """Write a session of whoever signs in, or of a visitor.

    Args:
        instead_of: the session that it takes the place of, and that therefore does not count.

    Raises:
        InsecureTransport: nobody could be handed its token.
        Unauthenticated: all sessions of the user were ended since the request was opened (G2).
        SessionLimitReached: the user has too many, and the policy is to refuse one more.
        SessionTooLarge, StoreUnavailable: nothing is left of it.
    """
    if not state.is_deliverable:
        is_development = state.is_development
        raise InsecureTransport(state.client.address, is_development=is_development)
    settings = state.settings
    check_size(content, settings)
    token, now = parts.mint(lineage=state.lineage), parts.clock.now()
    record = first(token, sign_in, state.client, settings.policy, now, parts.random(8))
    record = settings.filled(record, content)
    try:
        await writes.save(parts.store, record, None)
        listed = await enlist(parts, state, record)
        own = [each.id for each in (record, instead_of) if each]
        counts = sign_in is None or sign_in.login is None  # not who acts, nor who stops: no login
        over = await surplus(parts, listed, own) if counts else ()
    except BaseException as error:
        await take_back(parts, record)
        if isinstance(error, SessionLimitReached):
            parts.tell(Happened.SIGN_IN_REFUSED, record.id, record.subject, limit=error.limit)
        raise
    return Created(record, token, content, over)


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


async def enlist(parts: Parts, state: State, record: Record) -> Sequence[str]:
    """Add the index entry of a stored record; return the index, if it is over the limit.

    Raises:
        Unauthenticated: the bar of the subject forbids it.
        StoreUnavailable: the store did not answer.
    """
    subject = record.subject
    if subject is None:
        return ()
    own_bar = state.own_bar(subject)
    since = state.proving_since(subject) - parts.clock.error
    limit = parts.settings.policy.max_sessions
    listed = await writes.enlist(parts.store, record, since, own_bar, limit)
    if listed is None:
        parts.tell_of(state, Happened.SIGN_IN_REFUSED, record, cause=Ended.END_ALL)
        raise Unauthenticated("all sessions of the user were ended while this one signed in")
    return listed


async def take_back(parts: Parts, record: Record) -> None:
    """Remove a session whose token nobody got; one that stays is of no use and expires."""
    with suppress(StoreUnavailable):
        await writes.end(parts.store, Tombstone.of(record.id, Ended.REFUSED, parts.clock.now()))
        await writes.delist(parts.store, record.subject, record.id)
