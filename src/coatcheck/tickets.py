"""Issue and redeem tickets: the I/O there is to them, by commits like any other."""

from collections.abc import Awaitable, Callable

from coatcheck.core.outcome import Outcome
from coatcheck.core.record import Record
from coatcheck.core.session import Session
from coatcheck.core.ticket import Ticket, is_origin, put_in, take_out
from coatcheck.errors import Unauthenticated
from coatcheck.parts import Parts

Commit = Callable[[Session], Awaitable[Outcome]]


async def issue(parts: Parts, session: Session, origin: str | None, commit: Commit) -> str:
    """Store a ticket of a session, with what else was done to it. See `Sessions.issue_ticket`."""
    session.require_subject()
    if origin is not None and not is_origin(origin):
        raise ValueError("origin is spelled as browsers do: https://app.example, and no path")
    if session.state.base is None or session.state.privilege is not None:
        await commit(session)  # a ticket is of the lineage that begins now
    base = _base(session)
    ticket = Ticket.mint(parts.random, base.id)
    digest, now = ticket.digest(base.lineage_digest), parts.clock.now()
    session.edit(lambda data: put_in(data, digest, origin, now))
    await commit(session)
    _base(session)
    return ticket.reveal()


async def use_up(
    parts: Parts, session: Session, ticket: Ticket, origin: str | None, commit: Commit
) -> None:
    """Take a ticket out of the session that was opened by its id.

    A save that meets another one is tried again on what is stored then, so one of all that bring
    the ticket gets through, on whichever server.

    Raises:
        TicketRefused: it is not good, or not any more.
        StoreUnavailable: nobody can tell.
    """
    digest, now = ticket.digest(_base(session).lineage_digest), parts.clock.now()
    session.edit(lambda data: take_out(data, digest, origin, now))
    await commit(session)
    _base(session)


def _base(session: Session) -> Record:
    """Return the record of a session that is stored.

    Raises:
        Unauthenticated: it ended meanwhile.
    """
    if session.state.base is None:
        raise Unauthenticated("the session ended while this request ran")
    return session.state.base
