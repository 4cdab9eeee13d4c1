"""Open a session at the start of a request, commit it before the answer: all the I/O there is.

Written once, as `async`; `BlockingSessions` runs the same code on the spot.
"""

import logging
from asyncio import gather
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from inspect import iscoroutinefunction

from coatcheck import tickets
from coatcheck.actors import is_dismissed
from coatcheck.clock import GivenClock, StoreClock
from coatcheck.codec import MessagePackCodec
from coatcheck.commit import Commit
from coatcheck.core.claims import Claims
from coatcheck.core.envelope import Checked, Envelope
from coatcheck.core.events import (
    APPLICATION,
    USER,
    Event,
    Happened,
    Listener,
    administrator,
)
from coatcheck.core.fate import is_same_hold
from coatcheck.core.hide import hide
from coatcheck.core.info import SessionInfo
from coatcheck.core.merge import Merge
from coatcheck.core.outcome import KEPT, Done, Holder, Outcome
from coatcheck.core.own import PENDING
from coatcheck.core.policy import Policy
from coatcheck.core.presented import Presented
from coatcheck.core.record import NOBODY, Client, Ended, Record
from coatcheck.core.session import Session, show
from coatcheck.core.settings import Settings
from coatcheck.core.token import Token, is_id
from coatcheck.core.unseen import Unseen
from coatcheck.door import Arrival, Door
from coatcheck.ending import end
from coatcheck.errors import (
    ConfigurationError,
    InvalidToken,
    Unauthenticated,
    Undecodable,
)
from coatcheck.groups import Groups
from coatcheck.keyed import KeyedTokens
from coatcheck.lookout import Lookout, OnEnd, Watched
from coatcheck.move import leave
from coatcheck.parts import Parts, log
from coatcheck.stores.protocol import Store
from coatcheck.sweeper import Sweeper
from coatcheck.throttle import Throttle
from coatcheck.touches import Touches
from coatcheck.waiting import Kind, pause

_log = logging.getLogger("coatcheck")
Infos = list[SessionInfo]

BATCH = 100
"""How many sessions `end_everything` ends at once."""


class Sessions:
    """All sessions of an application, for asyncio.

    Args:
        store: where they are kept.
        policy: how long they live and how large they may be.
        merge: how top-level keys merge when two requests change them at once; leaf by leaf unless
            named here.
        on_event: is told what happens to sessions; by default the logger `coatcheck` is.
        clock: milliseconds UTC, the same for all processes; by default this machine's clock
            corrected by the store's.
        envelope: how data is stored: `Sealed` encrypts it, `Compressed` compresses what is large;
            by default it is checked for damage only.
        notify: is told of a session that may be in other hands (`Policy.binding`, from `NOTIFY`
            on), to write to its user; a plain function that does not wait. Each process tells once.
        tokens: what makes tokens that are told from forged ones without asking the store; by
            default they are random alone.

    Raises:
        ConfigurationError: the parts do not fit together; it names the setting.
    """

    _writes_behind = True

    def __init__(
        self,
        store: Store,
        *,
        policy: Policy | None = None,
        merge: Mapping[str, Merge] | None = None,
        on_event: Listener = log,
        clock: Callable[[], int] | None = None,
        envelope: Envelope | None = None,
        notify: Listener | None = None,
        tokens: KeyedTokens | None = None,
    ) -> None:
        self._check(store)
        self.policy = Policy() if policy is None else policy
        envelope = Checked() if envelope is None else envelope
        self._settings = Settings(MessagePackCodec(), self.policy, envelope, merge or {})
        for warning in (
            self.policy.profile.check("Policy", self.policy) if self.policy.profile else ()
        ):
            _log.warning("policy: %s", warning)
        if not _is_plain_function(on_event):
            raise ConfigurationError("on_event", f"{on_event!r} is no plain function")
        if notify is not None and not _is_plain_function(notify):
            raise ConfigurationError("notify", f"{notify!r} is no plain function")
        if clock is not None and not callable(clock):
            raise ConfigurationError("clock", f"{clock!r} cannot be called")
        if not isinstance(tokens, KeyedTokens | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("tokens", f"a {type(tokens).__name__} is no KeyedTokens")
        self._store = store
        self._clock = GivenClock(clock) if clock else StoreClock()
        self._parts = Parts(store, self._settings, self._clock, on_event, tokens=tokens)
        self._groups = Groups(self._parts)
        self._touches = Touches(self._parts, behind=self._writes_behind)
        self._sweeper = Sweeper(self._parts, self._let_others)
        self._door = Door(self._parts, self._touches, notify)
        self._lookout = Lookout(self._parts)
        self._throttle = Throttle(self._parts)

    def _check(self, store: Store) -> None:
        require(store, not_=Kind.BLOCKING, user="Sessions", needs="an asyncio store")

    @property
    def kind(self) -> Kind:
        """How the store waits."""
        return self._store.kind

    @property
    def is_blocking(self) -> bool:
        """Whether threads use it, through `BlockingSessions`."""
        return not self._writes_behind

    @property
    def store(self) -> Store:
        """Where sessions are kept."""
        return self._store

    @property
    def envelope(self) -> Envelope:
        """How their data is stored."""
        return self._settings.envelope

    def arrive(self) -> Arrival:
        """Note the time, for a request whose session may be opened later, by `admit`."""
        return self._door.arrive()

    async def open(
        self,
        token: Token | None,
        *,
        client: Client = NOBODY,
        is_activity: bool = True,
        is_held: bool = True,
    ) -> Session:
        """Return the session of `token`, or an empty one where there is none to return.

        `session.standing` tells what the token was. Without a token there is no I/O.

        Args:
            client: who asks; remembered with a session that begins now, else compared with the one
                that is remembered.
            is_activity: whether a person acts, which keeps the session alive; a poll does not.
            is_held: whether whoever holds the token presents it. A job that noted it down does not:
                it is given no other token, and an old one is no sign of theft.

        Raises:
            StoreUnavailable: nobody can tell; nothing may be assumed about the user.
        """
        return await self._door.open(Session, token, client, is_activity, is_held=is_held)

    async def admit(
        self,
        presented: Sequence[Presented],
        *,
        client: Client = NOBODY,
        is_activity: bool = True,
        of: type[Unseen] = Unseen,
        arrival: Arrival | None = None,
    ) -> Session:
        """Open for an adapter, whatever was presented; it never fails.

        The session notices whether anybody looks at it (`state.is_seen`). The first token that
        opens one counts, else the first of all. A store that does not answer is noted in
        `state.failure`, for the first look to raise, and so is a client whose tokens are refused;
        the deletion of a dead copy in `state.cookies`.

        Args:
            arrival: when the request arrived, if that was earlier.
        """
        return await self._door.admit(
            presented, client=client, is_activity=is_activity, of=of, arrival=arrival
        )

    async def again(self, session: Session, *, of: type[Unseen] = Unseen) -> Session:
        """Open a session anew for an adapter, as it is stored by now; it never fails. See `admit`.

        For one more event on a connection: it is the same session, whatever token it has by now.
        Once that ended, expired, or changed its privileges elsewhere, it is nobody's. It has no
        token, so none is renewed.
        """
        return await self._door.again(session, of=of)

    async def redeem(
        self,
        text: str,
        origin: str | None,
        *,
        client: Client = NOBODY,
        is_activity: bool = True,
        of: type[Unseen] = Unseen,
    ) -> Session:
        """Open for an adapter what a ticket opens, and use it up; it never fails. See `admit`.

        Whatever is wrong, the session is nobody's. One that opens has no token, so none is renewed.
        """
        return await self._door.redeem(
            text, origin, self.commit, client=client, is_activity=is_activity, of=of
        )

    async def commit(self, session: Session, *, discard: bool = False) -> Outcome:
        """Carry out what was done to the session: save, rotate, move, end, touch, or nothing.

        Afterwards the dict shows what this commit left, with what others had changed. It may be
        called again later in the same request, as WebSockets and long streams do; that is activity
        of its own.

        Of a session that nobody looked at it records the activity, and raises nothing.

        Args:
            discard: undo every change but an `end()`: the request failed.

        Raises:
            Superseded: the session changed its privileges meanwhile (409); nothing was saved.
            MergeRefused: a key that must not merge was changed by another request (409).
            Unauthenticated: a sign-in or step-up came after the end of it (401).
            SessionLimitReached: a sign-in over `Policy.max_sessions` (403); nothing was saved.
            SessionTooLarge, TooManyKeys: over the policy's limit; nothing was saved.
            TooManySessions: the client began too many of late (429); there is no new one.
            SecretInSession: a secret, where `Policy.secrets` refuses them; nothing was saved.
            TypeError: a value cannot be stored; it names the key. Nothing was saved.
            StoreUnavailable: the store did not answer; an `end()` then did not happen either.
            RuntimeError: another task is committing this very session.
            Exception: whatever a function given to `Session.edit` raises.
        """
        session.state.require_no_commit()
        session.state.is_committing = True
        try:
            return await self._commit(session, discard=discard)
        except Exception as error:
            hide(error, pausable=not self._writes_behind)  # in threads no coroutine waits
            raise
        finally:
            session.state.is_committing = False

    async def _commit(self, session: Session, *, discard: bool) -> Outcome:
        state = session.state
        state.correct(self._clock.offset, self._clock.error)
        if state.is_committed:
            state.acted_at = self._clock.now()
        if state.base is not None and state.acted_at >= state.base.expires_at:
            await self._look_again(session, state.base)
        if not state.is_seen or state.failure is not None:
            outcome = await self._commit_of(session).touch() if state.is_touch_due else KEPT
        elif discard:
            outcome = await self._commit_of(session).end()
            self._reset(session)
            if outcome is KEPT:  # somebody was there all the same
                outcome = await self._commit_of(session).touch()
        else:
            outcome = await self._commit_of(session).end() if state.ending else KEPT
            if not state.has_nothing_to_do(session):
                outcome = await self._commit_of(session).run(outcome)
            if state.taken_up is not None:
                await leave(self._parts, state)
                state.forget_doubt()
        state.is_committed = True
        return outcome if outcome is KEPT else await self._done(session, outcome)

    async def _look_again(self, session: Session, base: Record) -> None:
        """Let a session be gone that is over by a later commit, if nobody else kept it alive."""
        state = session.state
        try:
            stored = await self._store.load(base.id)
        except Undecodable:
            stored = None
        if not isinstance(stored, Record) or state.acted_at >= stored.expires_at:
            if isinstance(stored, Record):
                self._door.tell_expired(stored, state)
            if state.is_seen:
                show(session, {})
            state.unseen = None if state.is_seen else {}
            state.start(None, self._settings.empty)
            state.is_gone = True

    def _commit_of(self, session: Session) -> Commit:
        return Commit(self._parts, self._groups, self._touches, self._throttle, session)

    async def _done(self, session: Session, outcome: Outcome) -> Outcome:
        cookies = session.state.cookies
        if outcome.cookies.get(Holder.SIGNED_IN) and cookies.get(Holder.VISITOR):
            del cookies[Holder.VISITOR]  # of a session that this request made, and moved
        cookies.update(outcome.cookies)
        if self._sweeper.is_due(self._clock.now()):
            await self._sweeper.sweep()
        return outcome

    def _reset(self, session: Session) -> None:
        """Let the session be as it was loaded."""
        state = session.state
        if state.taken_up is not None:
            state.withhold(state.taken_up)
        show(session, state.data_of(state.content))
        state.start(state.base, state.content)

    def report_unsaved(self, session: Session) -> None:
        """Report, at the end of a response, what was done after the commit and is lost with it."""
        if session.state.is_unsaved(session):
            problem = (
                "changed after the response had started: commit it by hand, or change it before"
            )
            self._parts.tell(
                Happened.UNSAVED,
                session.id,
                session.subject,
                actor=APPLICATION,
                client=session.state.client,
                problem=problem,
            )

    def report_forgery(self, session: Session, **facts: str) -> None:
        """Report that a request was refused, as it seems to be made by somebody else's page."""
        base, client = session.state.base, session.state.client
        id, subject = (base.id, base.subject) if base else (None, None)
        kind, now = Happened.CSRF_REFUSED, self._clock.now()
        self._parts.send(Event(kind, now, id, subject, facts, client=client))

    def watch(self, session: Session, on_end: OnEnd | None = None) -> Watched | None:
        """Look after a WebSocket or a stream for an adapter, until it or its session is over.

        `None`: there is nothing to look after, as nothing is stored or nobody looked.

        Args:
            on_end: is told when the session is over, in this event loop; without it the adapter has
                to `look` when that is due.
        """
        return self._lookout.watch(session, on_end)

    async def issue_ticket(self, session: Session, *, origin: str | None) -> str:
        """Return a text that opens this session's WebSocket once, within 30 s (ASVS 5.0 V4.4.3).

        For where no cookie can: a page of another origin, a client that is no browser. It goes into
        the URL of the handshake, as `?ticket=`. It commits what else was done to the session.

        Args:
            origin: of the page that will connect, as its browser spells it, such as
                `https://app.example`; `None`: a client that sends none.

        Raises:
            Unauthenticated: nobody is signed in, or not any more.
            ValueError: `origin` is no origin.
            Exception: see `commit`.
        """
        return await tickets.issue(self._parts, session, origin, self.commit)

    async def rotate(self, session: Session) -> Outcome:
        """Rotate now rather than with the response, and save what else was done. See `commit`."""
        session.privilege_changed()
        return await self.commit(session)

    async def spend_attempt(self, session: Session) -> str:
        """Take one attempt off a sign-in that waits for its second factor; return its user id.

        To be called before the code is checked: it is stored by then, so that no number of requests
        at the same time has more attempts than `Policy.factor_attempts`. What else was done to the
        session is saved with it.

        Raises:
            Unauthenticated: nobody gave a password here, or the time or the attempts are over.
            Exception: see `commit`.
        """
        if (pending := session.pending) is None:
            raise Unauthenticated("no sign-in waits for a second factor")
        state = session.state
        state.require_no_commit()
        kept = state.own[PENDING]
        state.spend(session)
        if (await self.commit(session)).done is Done.DROPPED:
            raise Unauthenticated("the session ended while this request ran")
        state.first_factor = (pending.subject, kept["since"], kept.get("bar", 0))
        return pending.subject

    async def end(
        self,
        id: str,
        *,
        subject: str | None = None,
        actor: Session | str | None = None,
        reason: str | None = None,
    ) -> bool:
        """End one session by its id; tell whether there was one that was not over anyway.

        The request's own session ends by `session.end()`, which deletes the cookie as well.

        Args:
            subject: end it only if it is this user's; leave out in an administrator's hands only.
            actor: who does it, for the event: the session of the request that asks for it, or an
                administrator's name; by default the `subject`.
            reason: why they do, in their words, for the event.
        """
        record = await self._record(id)
        if record is None or (subject is not None and record.subject != subject):
            return False
        await self._clock.measure(self._store)
        default = APPLICATION if subject is None else USER
        actor, client = _caused(actor, record.subject, default)
        why, subject = Ended.REVOKED, record.subject
        return await end(self._parts, id, subject, why, actor=actor, client=client, reason=reason)

    async def end_all(
        self,
        subject: str,
        *,
        keep: Session | None = None,
        actor: Session | str | None = None,
        reason: str | None = None,
    ) -> int:
        """End all sessions of a user, also one whose sign-in is under way; return how many ended.

        Args:
            keep: the session of this request, if it shall live on; a sign-in this very request
                makes afterwards is not refused.
            actor: who does it, as in `end`; by default whose session `keep` is.
            reason: why they do, in their words, for the event.

        Raises:
            StoreUnavailable: some may have ended, none is known to be left alone; ask again.
        """
        parts, store, clock = self._parts, self._store, self._clock
        await clock.measure(store)
        barred = await store.bar(subject, clock.now() + clock.error)
        if keep is not None:
            keep.state.correct(clock.offset, clock.error)
            is_first = barred.previous < keep.state.proving_since(subject) - clock.error
            if is_first or keep.state.own_bar(subject) == barred.previous:
                keep.state.bar = (subject, barred.bar)
        ended = 0
        actor, client = _caused(keep if actor is None else actor, subject, APPLICATION)
        for id in barred.ids:
            await self._let_others()
            if keep is None or not await self._is_kept(keep, id):
                why = Ended.END_ALL
                ended += await end(
                    parts, id, subject, why, actor=actor, client=client, reason=reason
                )
        kind = Happened.ALL_ENDED
        parts.tell(kind, None, subject, actor=actor, client=client, count=ended, reason=reason)
        return ended

    async def end_everything(
        self, *, actor: Session | str | None = None, reason: str | None = None
    ) -> int:
        """End all sessions of everybody, also those that are signing in; return how many ended.

        Visitors' too, and the caller's own. A visitor's session that begins at this very moment may
        live on: there is nothing in it but what that one request put there. It takes a while, in
        small steps; requests go on beside it.

        Args:
            actor: who does it, as in `end`.
            reason: why they do, in their words, for the event.

        Raises:
            StoreUnavailable: some may have ended, nobody can sign in by a request from before; ask
                again.
        """
        await self._clock.measure(self._store)
        await self._store.bar(None, self._clock.now() + self._clock.error)
        ended, after = 0, None
        name, client = _caused(actor, None, APPLICATION)
        while True:
            page = await self._store.page(None, after, BATCH)
            found = [(record.id, record.subject) for record in page.records]
            found += [(id, None) for id in page.unreadable]
            ended += sum(await self._end_each(found, name, client))
            if (after := page.next) is None:
                break
        kind = Happened.EVERYTHING_ENDED
        self._parts.tell(kind, None, actor=name, client=client, count=ended, reason=reason)
        return ended

    async def _end_each(
        self, found: Sequence[tuple[str, str | None]], actor: str, client: Client
    ) -> Sequence[bool]:
        parts, why = self._parts, Ended.END_ALL
        ends = (end(parts, *each, why, actor=actor, client=client) for each in found)
        if self.kind is Kind.ASYNCIO:  # what many ask at once leaves together
            return await gather(*ends)
        ended: list[bool] = []
        for each in ends:
            ended.append(await each)
            await self._let_others()
        return ended

    async def _let_others(self) -> None:
        """Let others go on, whom a store that never waits would hold up; threads do anyway."""
        if not self.is_blocking:
            await pause(0)

    async def _is_kept(self, keep: Session, id: str) -> bool:
        """Tell whether `id` is `keep`, and still in the hands that this request knows."""
        base = keep.state.base
        if base is None or base.id != id:
            return False
        stored = await self._record(id)
        return stored is not None and is_same_hold(stored, base)

    async def require_live(self, claims: Claims) -> None:
        """Check that the session an access token was issued from still stands, as it was then.

        One look at the store, or two for who impersonates; no activity of the user.

        Raises:
            InvalidToken: it ended, expired, or has other privileges by now; or who acts in it may
                not any more; or the token is of no session.
            StoreUnavailable: nobody can tell.
        """
        record = None if claims.session is None else await self._record(claims.session)
        if record is not None and claims.are_of(record):
            await self._clock.measure(self._store)
            if (
                self._clock.now() < record.expires_at
                and self._is_whole(record)
                and await self._may_act(claims)
            ):
                return
        raise InvalidToken("its session is over")

    def _is_whole(self, record: Record) -> bool:
        """Tell whether it is as it was stored, or somebody else wrote it (`Sealed`)."""
        try:
            self._settings.content(record)
        except Undecodable:
            return False
        return True

    async def _may_act(self, claims: Claims) -> bool:
        if claims.actor is None:
            return True
        since = int(claims.issued_at.timestamp() * 1_000)  # it had not begun later
        return not await is_dismissed(self._parts, claims.actor, since)

    async def _record(self, id: str) -> Record | None:
        """Return what is stored under an id that anybody may have made up."""
        if not is_id(id):
            return None
        try:
            stored = await self._store.load(id)
        except Undecodable:
            return None
        return stored if isinstance(stored, Record) else None

    async def list(self, subject: str, *, current: Session | None = None) -> Infos:
        """Return a user's live sessions, the most recently seen first.

        Args:
            current: the session of the request, to be marked among them.
        """
        own = None if current is None else current.id
        found: dict[str, SessionInfo] = {}
        after: str | None = None
        while True:
            infos, after = await self.page(subject, after=after)
            found.update((info.id, replace(info, is_current=info.id == own)) for info in infos)
            if after is None:
                return sorted(found.values(), key=lambda info: info.seen_at, reverse=True)

    async def page(
        self, subject: str | None = None, *, after: str | None = None, limit: int = 100
    ) -> tuple[Infos, str | None]:
        """Return some live sessions, of a user or of everybody, and where the next page starts.

        A page may hold fewer than `limit`, even none; the listing is over when the second value is
        `None`. On Redis a listing of everybody may show a session twice.

        Raises:
            ValueError: `limit` is below 1.
        """
        if limit < 1:
            raise ValueError(f"limit is {limit}, it must be 1 or more")
        await self._clock.measure(self._store)
        now = self._clock.now()
        page = await self._store.page(subject, after, limit)
        # The record says whose it is; the index only where to look.
        found = [r for r in page.records if subject in (None, r.subject) and now < r.expires_at]
        return [SessionInfo.of(record) for record in found], page.next

    async def count(self, subject: str | None = None) -> int:
        """Return how many sessions are stored, expired ones not yet swept included."""
        return await self._store.count(subject)

    async def sweep(self) -> int:
        """Let the store forget all that expired, now; return how many.

        Commits do that by themselves, a little each minute.
        """
        await self._clock.measure(self._store)
        return await self._sweeper.sweep_all()

    async def flush(self) -> None:
        """Write what waits to be written, as at the end of the process. Never raises."""
        await self._groups.wait()
        await self._touches.flush()
        await self._parts.flush()

    async def close(self) -> None:
        """Write what waits to be written, and let go of the store's connections."""
        await self.flush()
        await self._store.close()


def require(store: Store, *, not_: Kind, user: str, needs: str) -> None:
    """Refuse a store that waits in another way than its user does.

    Raises:
        ConfigurationError: it does, or it is no store.
    """
    kind = getattr(store, "kind", None)
    if not isinstance(kind, Kind):
        raise ConfigurationError("store", f"{type(store).__name__} is no store")
    if kind is not_:
        raise ConfigurationError("store", f"is {kind}; {user} needs {needs}")


def _caused(actor: Session | str | None, subject: str | None, default: str) -> tuple[str, Client]:
    """Return who acts on a session of `subject`, and from where."""
    if isinstance(actor, Session):
        name, client = actor.state.acting or actor.subject, actor.state.client
        if name is None:
            return default, client  # such as who forgot a password
        return USER if name == subject else administrator(name), client
    return default if actor is None else administrator(actor), NOBODY


def _is_plain_function(listener: object) -> bool:
    return callable(listener) and not iscoroutinefunction(listener)
