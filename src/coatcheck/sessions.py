"""Open a session at the start of a request, commit it before the answer: all the I/O there is.

Written once, as `async`; `BlockingSessions` runs the same code on the spot.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

from coatcheck import writes
from coatcheck.clock import GivenClock, StoreClock
from coatcheck.commit import Commit
from coatcheck.core.events import Happened, Listener
from coatcheck.core.info import SessionInfo
from coatcheck.core.intents import Intents, Standing
from coatcheck.core.merge import Merge
from coatcheck.core.outcome import Done, Outcome
from coatcheck.core.policy import GRACE, TOMBSTONE_KEPT, Policy
from coatcheck.core.record import NOBODY, Client, Ended, Record, Tombstone
from coatcheck.core.session import Session
from coatcheck.core.standing import judge
from coatcheck.core.token import Token
from coatcheck.errors import ConfigurationError, StoreUnavailable, Undecodable
from coatcheck.parts import Parts, log
from coatcheck.stores.protocol import Store
from coatcheck.waiting import Kind

SWEPT_EVERY = 60_000
SWEEP_BATCH = 1_000
Infos = list[SessionInfo]


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

    Raises:
        ConfigurationError: the parts do not fit together; it names the setting.
    """

    _unsuitable: ClassVar[Kind] = Kind.BLOCKING
    _suitable: ClassVar[str] = "an asyncio store (or BlockingSessions, outside asyncio)"

    def __init__(
        self,
        store: Store,
        *,
        policy: Policy | None = None,
        merge: Mapping[str, Merge] | None = None,
        on_event: Listener = log,
        clock: Callable[[], int] | None = None,
    ) -> None:
        kind = getattr(store, "kind", None)
        if not isinstance(kind, Kind):
            raise ConfigurationError("store", f"{type(store).__name__} is no store")
        if kind is self._unsuitable:
            raise ConfigurationError(
                "store", f"is {kind}; {type(self).__name__} needs {self._suitable}"
            )
        self.policy = policy or Policy()
        self._store = store
        self._parts = Parts(
            store=store,
            policy=self.policy,
            rules=merge or {},
            listener=on_event,
            clock=GivenClock(clock) if clock else StoreClock(),
        )
        self._sweep_due = 0
        self._unreadable: set[str] = set()

    async def open(self, token: Token | None, *, client: Client = NOBODY) -> Session:
        """Return the session of `token`, or an empty one where there is none to return.

        `session.standing` tells what the token was. Without a token there is no I/O.

        Raises:
            StoreUnavailable: nobody can tell; nothing may be assumed about the user.
        """
        parts = self._parts
        if token is None:
            return self._blank(client)
        await parts.clock.measure(self._store)
        session = self._blank(client)
        intents = session.intents
        try:
            stored = await self._store.load(token.id)
            intents.standing = judge(token, stored, intents.opened_at)
            if intents.standing is Standing.CURRENT and isinstance(stored, Record):
                self._fill(session, stored)
            else:
                parts.tell(Happened.REFUSED, token.id, reason=intents.standing.value)
        except Undecodable as error:
            intents.standing = Standing.UNREADABLE
            self._report_unreadable(token.id, error)
        return session

    def _fill(self, session: Session, record: Record) -> None:
        """Let a blank session show what is stored."""
        parts, intents = self._parts, session.intents
        content = parts.content(record)
        session.update(parts.codec.decode(content))
        intents.start(record, content)
        is_due = self.policy.touch_due(record, intents.opened_at)
        intents.seen_at = intents.opened_at if is_due else record.seen_at

    async def commit(self, session: Session, *, discard: bool = False) -> Outcome:
        """Carry out what was done to the session: save, rotate, move, end, touch, or nothing.

        What the client must be told is then in `session.intents.cookies`. It may be called again
        later in the same request, as WebSockets and long streams do.

        Args:
            discard: forget every change but an `end()`: the request failed.

        Raises:
            Superseded: the session changed its privileges meanwhile (409); nothing was saved.
            Unauthenticated: a sign-in or step-up came after the end of it (401).
            SessionTooLarge: over `Policy.max_size`; nothing was saved.
            TypeError: a value cannot be stored; it names the key. Nothing was saved.
            StoreUnavailable: the store did not answer; an `end()` then did not happen either.
        """
        outcome = await Commit(self._parts, session).run(discard=discard)
        session.intents.is_committed = True
        if outcome.done is not Done.KEPT:
            await self._sweep()
        return outcome

    async def touch(self, session: Session) -> Outcome:
        """Record the activity of a request that did not look at its session. Never raises."""
        outcome = await Commit(self._parts, session).touch()
        if outcome.done is Done.TOUCHED:
            await self._sweep()
        return outcome

    async def rotate(self, session: Session) -> Outcome:
        """Rotate the token now rather than with the response. Raises what `commit` raises."""
        session.rotate()
        return await self.commit(session)

    async def end(self, id: str, *, subject: str | None = None) -> bool:
        """End one session by its id, of `subject` only if given; tell whether there was one.

        The request's own session ends by `session.end()`, which deletes the cookie as well.
        """
        try:
            record = await self._store.load(id)
        except Undecodable:
            return False
        if not isinstance(record, Record) or (subject is not None and record.subject != subject):
            return False
        return await self._end(record, Ended.REVOKED)

    async def end_all(self, subject: str, *, keep: Session | None = None) -> int:
        """End all sessions of a user, also one whose sign-in is under way; return how many ended.

        Args:
            keep: the session of this request, if it shall live on; a sign-in this very request
                makes afterwards is not refused.
        """
        parts, store = self._parts, self._store
        await parts.clock.measure(store)
        now = parts.clock.now()
        at = now + parts.clock.error
        barred = await store.bar(subject, at)
        if keep is not None and barred.previous < keep.intents.opened_at - parts.clock.error:
            keep.intents.bar = (subject, at)
        ended = 0
        for id in barred.ids:
            if keep is None or id != keep.id:
                tombstone = Tombstone(id, Ended.END_ALL, now, None, now + TOMBSTONE_KEPT)
                ended += await writes.end(store, tombstone)
                await writes.delist(store, subject, id)
        parts.tell(Happened.ALL_ENDED, None, subject, count=ended)
        return ended

    async def list(self, subject: str) -> Infos:
        """Return a user's live sessions, the most recently seen first."""
        found: dict[str, SessionInfo] = {}
        after: str | None = None
        while True:
            infos, after = await self.page(subject, after=after)
            found.update((info.id, info) for info in infos)
            if after is None:
                return sorted(found.values(), key=lambda info: info.seen_at, reverse=True)

    async def page(
        self, subject: str | None = None, *, after: str | None = None, limit: int = 100
    ) -> tuple[Infos, str | None]:
        """Return some live sessions, of a user or of everybody, and where the next page starts.

        A page may hold fewer than `limit`, even none; the listing is over when the second value is
        `None`. On Redis a listing of everybody may show a session twice.
        """
        await self._parts.clock.measure(self._store)
        now = self._parts.clock.now()
        page = await self._store.page(subject, after, limit)
        return [SessionInfo.of(r) for r in page.records if now < r.expires_at], page.next

    async def count(self, subject: str | None = None) -> int:
        """Return how many sessions are stored, expired ones not yet swept included."""
        return await self._store.count(subject)

    async def close(self) -> None:
        """Let go of the store's connections."""
        await self._store.close()

    def refuse(self, standing: Standing, *, client: Client = NOBODY) -> Session:
        """Return an empty session for a token that is not even well-formed, and report it."""
        self._parts.tell(Happened.REFUSED, None, reason=standing.value)
        session = self._blank(client)
        session.intents.standing = standing
        return session

    def fail(self, failure: StoreUnavailable, *, client: Client = NOBODY) -> Session:
        """Return an empty session in the place of one that could not be loaded, and report it."""
        self._parts.tell(Happened.UNAVAILABLE, None, during=f"load: {failure}")
        session = self._blank(client)
        session.intents.failure = failure
        return session

    def _blank(self, client: Client) -> Session:
        parts = self._parts
        intents = Intents(parts.codec, parts.clock.now(), client)
        intents.start(None, parts.empty)
        return Session(intents)

    async def _end(self, record: Record, why: Ended) -> bool:
        await self._parts.clock.measure(self._store)
        now = self._parts.clock.now()
        tombstone = Tombstone(record.id, why, now, None, now + TOMBSTONE_KEPT)
        was_live = await writes.end(self._store, tombstone)
        await writes.delist(self._store, record.subject, record.id)
        if was_live:
            self._parts.tell(Happened.ENDED, record.id, record.subject, why=why)
        return was_live

    def _report_unreadable(self, id: str, error: Undecodable) -> None:
        """Report a damaged record once, not with each request that presents it."""
        if id not in self._unreadable:
            if len(self._unreadable) >= 1_000:
                self._unreadable.clear()
            self._unreadable.add(id)
            self._parts.tell(Happened.UNREADABLE, id, problem=str(error))

    async def _sweep(self) -> None:
        """Forget expired records, at most once a minute (at once again while there are many)."""
        now = self._parts.clock.now()
        if self._sweep_due - SWEPT_EVERY <= now < self._sweep_due:
            return
        self._sweep_due = now + SWEPT_EVERY
        try:
            swept = await self._store.sweep(now - GRACE, SWEEP_BATCH)
        except StoreUnavailable as error:
            self._parts.tell(Happened.UNAVAILABLE, None, during=f"sweep: {error}")
            return
        if swept:
            self._parts.tell(Happened.SWEPT, None, count=swept)
        if swept == SWEEP_BATCH:
            self._sweep_due = now + 1_000
