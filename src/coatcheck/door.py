"""The way in: from what a request presents to the session it opens, or to nobody's.

A token and a ticket are proved in ways of their own; what they open is judged, filled and reported
alike.
"""

from collections.abc import Sequence
from typing import NamedTuple

from coatcheck import tickets
from coatcheck.actors import is_dismissed
from coatcheck.backoff import back_off
from coatcheck.bindings import Bindings
from coatcheck.core.binding import Action, Drift
from coatcheck.core.doubt import Doubt
from coatcheck.core.events import SYSTEM, Happened, Listener, administrator
from coatcheck.core.fate import goes_on
from coatcheck.core.merge import Data
from coatcheck.core.once import Once
from coatcheck.core.outcome import Holder
from coatcheck.core.own import ACTOR
from coatcheck.core.presented import Presented
from coatcheck.core.record import Client, Ended, Record, Stored, Tombstone
from coatcheck.core.session import Session
from coatcheck.core.standing import Standing, judge
from coatcheck.core.state import State
from coatcheck.core.ticket import Ticket, TicketRefused, take_out
from coatcheck.core.token import Token
from coatcheck.core.unseen import Unseen
from coatcheck.ending import end
from coatcheck.errors import CoatcheckError, StoreUnavailable, Undecodable
from coatcheck.guesses import Guesses
from coatcheck.parts import Parts
from coatcheck.stores.protocol import Conflict
from coatcheck.touches import Touches


class Arrival(NamedTuple):
    """When a request arrived, for one whose session is opened later."""

    at: int
    clock_offset: int


class Door:
    """Lets requests in.

    Args:
        notify: see `Sessions`.
    """

    def __init__(self, parts: Parts, touches: Touches, notify: Listener | None) -> None:
        self._parts, self._touches = parts, touches
        self._policy = parts.settings.policy
        self._bindings = Bindings(parts, notify)
        self._guesses = Guesses(parts)
        self._unreadable, self._expired = Once(), Once()

    def arrive(self) -> Arrival:
        """Note the time, for a request whose session may be opened later, by `admit`."""
        return Arrival(self._parts.clock.now(), self._parts.clock.offset)

    async def open(
        self,
        of: type[Session],
        token: Token | None,
        client: Client,
        is_activity: bool,
        arrival: Arrival | None = None,
        *,
        is_held: bool = True,
    ) -> Session:
        """Open the session of a token, or an empty one. See `Sessions.open`."""
        state = self._begun(client, is_activity, arrival)
        session, tokens = of(state), self._parts.tokens
        if token is None:
            return session
        state.is_held = is_held
        if tokens is not None and not tokens.issued(token, state.opened_at):
            state.standing = Standing.ABSENT
            self._refuse(token, None, state)
            return session
        if state.opened_at >= self._parts.clock.due:  # once a minute; the question costs less here
            await self._parts.clock.measure(self._parts.store)
            state.correct(self._parts.clock.offset, self._parts.clock.error)
        try:
            stored = await self._parts.store.load(token.id)
            state.standing = judge(token, stored, state.opened_at)
            if state.standing is Standing.REPLAYED and is_held:
                state.standing, stored = await self._replayed(
                    token, stored, state.opened_at, client
                )
            if state.standing is Standing.CURRENT and isinstance(stored, Record):
                action, drift = self._bindings.judge(stored, client)
                if action >= Action.STEP_UP:
                    await self._withhold(session, token, stored, action, drift)
                    return session
                state.unreadable, state.token = stored, token
                state.was_seen_at = stored.seen_at
                self._fill(session, state, stored)
                if ACTOR in state.own and not await self._may_act(state, stored):
                    return self._blank(of, client, is_activity, arrival, Standing.RETIRED)
                if state.is_touch_due and self._policy.is_near_end(stored, state.acted_at):  # T2
                    state.base = await self._touches.record_now(stored, state.acted_at)
                state.unreadable = None
            else:
                self._refuse(token, stored, state)
        except Undecodable as error:
            state.standing = Standing.UNREADABLE
            self._report_unreadable(token.id, error, state)
        return session

    async def _replayed(
        self, token: Token, stored: Stored, now: int, client: Client
    ) -> tuple[Standing, Stored]:
        """Report a token that two hold, and by policy end its session, if it is what it was.

        Raises:
            StoreUnavailable: nobody can tell whether it ended; the token opens nothing.
            Undecodable: what took its place in the store cannot be read.
        """
        attempt = 0
        while isinstance(stored, Record):
            standing = judge(token, stored, now)
            if standing is not Standing.REPLAYED:
                return standing, stored
            id, subject, parts = stored.id, stored.subject, self._parts
            parts.tell(Happened.REPLAYED, id, subject, client=client)
            if self._policy.on_replay == "report":
                return standing, stored
            why = Ended.REPLAYED
            try:
                await end(parts, id, subject, why, actor=SYSTEM, client=client, base=stored)
            except Conflict as conflict:
                stored, attempt = conflict.stored, await back_off(attempt)
                continue
            return standing, Tombstone.of(id, why, self._parts.clock.now())
        return judge(token, stored, now), stored

    async def admit(
        self,
        presented: Sequence[Presented],
        *,
        client: Client,
        is_activity: bool,
        of: type[Unseen],
        arrival: Arrival | None,
    ) -> Session:
        """Open whatever was presented. See `Sessions.admit`."""
        first: Session | None = None
        for token, holder, standing in presented:
            try:
                session = await self.open(of, token, client, is_activity, arrival)
            except StoreUnavailable as failure:
                session = self._unavailable(of, token, failure, client, is_activity, arrival)
            state = session.state
            opened = state.doubt.record if state.doubt else state.base
            if holder is Holder.VISITOR and opened is not None and opened.subject:
                # It was planted, so it opens nothing.
                session = self._blank(of, client, is_activity, arrival)
                state = session.state
                state.standing = Standing.RETIRED
                self._refuse(token, opened, state)
            state.presented = holder
            if token is None:
                state.standing = standing
                self._refuse(None, None, state)
            if state.base is not None or state.failure is not None:
                return session if first is None else _beside(session, first)
            if first is None:
                first = session
            if state.standing.is_deletable:
                first.state.cookies[holder] = None
        if first is None:
            return self._blank(of, client, is_activity, arrival)
        first.state.failure = first.state.refusal
        return first

    async def again(self, before: Session, *, of: type[Unseen]) -> Session:
        """Open once more what was opened and stored. See `Sessions.again`."""
        base, client = before.state.base, before.state.client
        session = self._blank(of, client, True, None)
        if base is None:
            return session
        state = session.state
        state.presented = before.state.presented
        try:
            stored = await self._parts.store.load(base.id)
            if isinstance(stored, Record) and goes_on(base, stored, state.opened_at):
                state.standing, state.was_seen_at = Standing.CURRENT, stored.seen_at
                self._fill(session, state, stored)
                if ACTOR not in state.own or await self._may_act(state, stored):
                    return session
        except StoreUnavailable as failure:
            return self._unavailable(of, None, failure, client, True, None)
        except Undecodable as error:
            self._report_unreadable(base.id, error, state)
        session = self._blank(of, client, True, None, Standing.RETIRED)
        session.state.is_gone = True  # what is put in is dropped: nobody would get its token
        return session

    async def redeem(
        self,
        text: str,
        origin: str | None,
        commit: tickets.Commit,
        *,
        client: Client,
        is_activity: bool,
        of: type[Unseen],
    ) -> Session:
        """Open what a ticket opens, and use it up by a `commit`. See `Sessions.redeem`."""
        state = self._begun(client, is_activity, None)
        session, ticket, tokens = of(state), Ticket.parse(text), self._parts.tokens
        id = ticket.id if ticket else None
        try:
            if ticket is None or (tokens and not tokens.issued(ticket, state.opened_at)):
                raise TicketRefused
            record = await self._redeem(ticket, origin, client, commit)
        except StoreUnavailable as failure:
            return self._unavailable(of, None, failure, client, is_activity, None)
        except Undecodable as error:
            state.standing = Standing.UNREADABLE
            self._report_unreadable(id, error, state)
        except (CoatcheckError, TicketRefused):
            state.standing = Standing.RETIRED
            state.failure = state.refusal = self._guesses.count(client)
            self._parts.tell(Happened.REFUSED, id, cause="ticket", client=client)
        else:
            state.standing, state.presented = Standing.CURRENT, Holder.SIGNED_IN
            state.was_seen_at = record.seen_at
            self._fill(session, state, record)
        return session

    async def _redeem(
        self, ticket: Ticket, origin: str | None, client: Client, commit: tickets.Commit
    ) -> Record:
        session = self._blank(Session, client, False, None)
        await self._parts.clock.measure(self._parts.store)
        stored, now = await self._parts.store.load(ticket.id), self._parts.clock.now()
        if not isinstance(stored, Record) or now >= stored.expires_at:
            raise TicketRefused
        data = self._parts.settings.codec.decode(self._parts.settings.content(stored))
        take_out(data, ticket.digest(stored.lineage_digest), origin, now)  # or it is refused
        action, _ = self._bindings.judge(stored, client)
        if action >= Action.STEP_UP:
            if not _is_provable(action, data):
                await self._end_drifted(stored, client)
            raise TicketRefused
        self._fill(session, session.state, stored)
        if ACTOR in session.state.own and not await self._may_act(session.state, stored):
            raise TicketRefused
        await tickets.use_up(self._parts, session, ticket, origin, commit)
        if session.state.base is None:
            raise TicketRefused
        return session.state.base

    async def _withhold(
        self, session: Session, token: Token, record: Record, action: Action, drift: Drift
    ) -> None:
        """Let the request be nobody's, as the client may not be its user's."""
        state, settings = session.state, self._parts.settings
        state.unreadable = record
        data = settings.codec.decode(settings.content(record))
        state.unreadable = None
        if record.subject is not None and _is_provable(action, data):
            state.withhold(Doubt(record.subject, drift, record, token, data))
            return
        state.standing = Standing.RETIRED
        await self._end_drifted(record, state.client)

    async def _end_drifted(self, record: Record, client: Client) -> None:
        why = Ended.BINDING
        await end(self._parts, record.id, record.subject, why, actor=SYSTEM, client=client)

    async def _may_act(self, state: State, stored: Record) -> bool:
        """Tell whether whoever impersonates, if somebody does, still may; if not, end it."""
        actor = state.actor
        if actor is None or not await is_dismissed(self._parts, actor.subject, actor.begun_at):
            return True
        name, why, client = administrator(actor.subject), Ended.END_ALL, state.client
        await end(self._parts, stored.id, stored.subject, why, actor=name, client=client)
        return False

    def _fill(self, session: Session, state: State, record: Record) -> None:
        data = state.fill(record, self._parts.settings.content(record))
        if state.is_seen:
            session.update(data)
        else:
            state.unseen = data

    def _unavailable(
        self,
        of: type[Unseen],
        token: Token | None,
        failure: StoreUnavailable,
        client: Client,
        is_activity: bool,
        arrival: Arrival | None,
    ) -> Session:
        id = token.id if token else None
        during = f"load: {failure}"
        self._parts.tell(Happened.UNAVAILABLE, id, client=client, during=during)
        session = self._blank(of, client, is_activity, arrival)
        session.state.failure = failure
        return session

    def _blank(
        self,
        of: type[Session],
        client: Client,
        is_activity: bool,
        arrival: Arrival | None,
        standing: Standing = Standing.NONE,
    ) -> Session:
        state = self._begun(client, is_activity, arrival)
        state.standing = standing
        return of(state)

    def _begun(self, client: Client, is_activity: bool, arrival: Arrival | None) -> State:
        clock, settings = self._parts.clock, self._parts.settings
        at, offset = arrival or (clock.now(), clock.offset)
        state = State(settings, at, offset, client, is_activity=is_activity)
        state.correct(clock.offset, clock.error)
        return state

    def _refuse(
        self, token: Token | None, stored: Stored, state: State, standing: Standing | None = None
    ) -> None:
        """Report a token that opens nothing, and count it as its client's."""
        state.refusal = self._guesses.count(state.client, token)
        id, standing = token.id if token else None, standing or state.standing
        record = stored if isinstance(stored, Record) else None
        if record and standing is Standing.EXPIRED and self.tell_expired(record, state):
            return
        subject = record.subject if record else None
        cause, client = standing.value, state.client
        if isinstance(stored, Tombstone) and standing is not Standing.ABSENT:
            state.ended_because = Ended.of(stored.why)
            self._parts.tell(Happened.REFUSED, id, cause=cause, client=client, ended=stored.why)
        else:
            self._parts.tell(Happened.REFUSED, id, subject, cause=cause, client=client)

    def tell_expired(self, record: Record, state: State) -> bool:
        """Report once that a session has expired; return whether this was the time."""
        if not self._expired.is_first(record.id):
            return False
        self._parts.tell(
            Happened.EXPIRED,
            record.id,
            record.subject,
            actor=SYSTEM,
            cause="absolute" if record.expires_at == record.ends_at else "idle",
            client=state.client,
        )
        return True

    def _report_unreadable(self, id: str | None, error: Undecodable, state: State) -> None:
        """Report a damaged record once, not with each request that presents it."""
        if self._unreadable.is_first(id):
            self._parts.tell(Happened.UNREADABLE, id, client=state.client, problem=str(error))


def _is_provable(action: Action, data: Data) -> bool:
    """Tell whether a session on another client is kept until its user is proved.

    Who would prove an impersonation is the actor, whom the client does not know.
    """
    return action is Action.STEP_UP and ACTOR not in data


def _beside(visitor: Session, first: Session) -> Session:
    """Return a visitor's session that counts beside a dead login, whose standing is shown."""
    state, other = visitor.state, first.state
    state.standing, state.presented = other.standing, other.presented
    state.ended_because = other.ended_because
    state.cookies, state.unreadable = other.cookies, other.unreadable
    state.doubt = other.doubt
    state.failure = state.failure or other.refusal
    return visitor
