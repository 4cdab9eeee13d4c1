"""Carry out what was done to a session. What a conflict means is decided in `core.verdict`."""

from collections.abc import Mapping, Sequence

from coatcheck import writes
from coatcheck.core.change import Applied, Change, own, rebased, sizes
from coatcheck.core.events import Happened, administrator
from coatcheck.core.fate import is_same_hold
from coatcheck.core.fold import Refusal
from coatcheck.core.intents import SignIn, StepUp
from coatcheck.core.merge import Data, merge
from coatcheck.core.outcome import KEPT, Cookies, Done, Holder, Outcome
from coatcheck.core.own import without
from coatcheck.core.policy import AtLimit
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.renewal import Renewal, renewed
from coatcheck.core.session import Session, show
from coatcheck.core.token import Token
from coatcheck.core.verdict import Verdict
from coatcheck.creation import Created, create, enlist, rewrite, take_back
from coatcheck.ending import end
from coatcheck.errors import StoreUnavailable, Unauthenticated, Undecodable
from coatcheck.groups import Groups
from coatcheck.limit import evict, surplus
from coatcheck.move import lost, move
from coatcheck.parts import Parts
from coatcheck.scan import scan
from coatcheck.throttle import Throttle
from coatcheck.touches import Touches

_TOO_OFTEN = "the user signed in more often meanwhile than is allowed"


class Commit:
    """One commit of one session."""

    def __init__(
        self,
        parts: Parts,
        groups: Groups,
        touches: Touches,
        throttle: Throttle,
        session: Session,
    ) -> None:
        self._parts, self._groups, self._touches = parts, groups, touches
        self._throttle = throttle
        self._session, self._state = session, session.state

    async def run(self, ended: Outcome) -> Outcome:
        """Do it. See `Sessions.commit`.

        Args:
            ended: of the `end()` that came before.
        """
        state, session = self._state, self._session
        if state.is_in_doubt:
            raise StoreUnavailable("an earlier save of this request may have been applied or not")
        if state.is_gone:
            show(session, {})
            state.own = {}
            return Outcome(Done.DROPPED)
        scan(self._parts, state, session)
        sign_in = state.privilege if isinstance(state.privilege, SignIn) else None
        base, is_empty = state.base, state.mark == self._parts.settings.empty
        if base is None:
            if is_empty and sign_in is None and not state.is_wanted:
                return ended  # nothing is stored for a visitor who left nothing
            created = await self._create(state.mark, sign_in)
            return Outcome(Done.CREATED, Cookies({**ended.cookies, **created.cookies}))
        is_edited = state.mark != state.content
        if is_edited and is_empty and state.is_cleared and state.privilege is None:
            state.ending.append(base)
            state.signs_out |= base.subject is not None
            state.start(None, self._parts.settings.empty)
            return await self.end(Ended.EMPTIED)
        if state.privilege is None and not is_edited:
            return await (self._renew(base) if state.is_renewal_due else self.touch())
        if state.privilege is not None:
            await self._correct_time()
        change = self._change(base)
        if sign_in and sign_in.subject != base.subject:
            if sign_in.login is None:
                await self._throttle.admit(state.client, is_sign_in=True)
            outcome = await self._created(await move(self._parts, state, change, sign_in))
            if sign_in.login is not None:
                self._tell_actor(base)
            return outcome
        return await self._update(change)

    async def end(self, why: Ended = Ended.END) -> Outcome:
        """End the session that `end()` was called on, if it was."""
        outcome, ending = KEPT, self._state.ending
        while ending:
            record = ending[-1]
            tombstone = Tombstone.of(record.id, why, self._parts.clock.now())
            if await writes.end(self._parts.store, tombstone):
                outcome = await self._tell_end(record, why, outcome.cookies)
            ending.pop()
        return outcome

    async def _tell_end(
        self, record: Record, why: Ended, others: Mapping[Holder, Token | None]
    ) -> Outcome:
        await writes.delist(self._parts.store, record.subject, record.id)
        self._tell(Happened.ENDED, record, cause=why)
        return Outcome(Done.ENDED, Cookies({**others, Holder.of(record.subject): None}))  # C2

    async def touch(self) -> Outcome:
        """Record the request's activity, if that is due; it is worth no failure of the request."""
        state, base = self._state, self._state.base
        if base is None or not state.is_touch_due:
            return KEPT
        state.base = await self._touches.record(base, state.acted_at)
        return KEPT if state.base is base else Outcome(Done.TOUCHED)

    async def _renew(self, base: Record) -> Outcome:
        """Renew or confirm the token by itself; it too is worth no failure of the request.

        Where nobody knows whether it was saved, the token in the client's hands is good all the
        same, and gets the same successor the next time (R4).
        """
        change = self._change(base)
        try:
            if change.renewal is not None and change.renewal.is_former_of(base):
                return await self._hand_again(base, change.renewal)
            return await self._update(change)
        except StoreUnavailable as error:
            self._state.is_in_doubt = False  # it changed no data
            self._parts.tell(Happened.UNAVAILABLE, base.id, during=f"renewal: {error}")
            return KEPT

    async def _hand_again(self, base: Record, renewal: Renewal) -> Outcome:
        """Hand out the successor that was proposed before, if it is still good (R4, R6)."""
        outcome = await self.touch()
        try:
            stored = await self._parts.store.load(base.id)
            if not isinstance(stored, Record) or not is_same_hold(base, stored):
                return outcome
            self._show(stored, self._parts.settings.content(stored))
        except Undecodable:
            return outcome
        _, token = renewed(stored, renewal, self._parts.settings.policy, self._parts.clock.now())
        if token is None:
            return outcome
        return Outcome(Done.RENEWED, Cookies({Holder.of(base.subject): token}))

    def _change(self, base: Record) -> Change:
        state, parts = self._state, self._parts
        renewal = token = None
        if state.privilege is not None:
            token = parts.mint(base.id, state.lineage)
        elif state.is_renewal_due and state.token is not None:
            renewal = Renewal(state.token, parts.random(16), state.is_activity)
        return Change(
            base=base,
            steps=tuple(state.steps),
            own_steps=tuple(state.steps[state.signed_at :]),
            content=state.mark,
            privilege=state.privilege,
            token=token,
            acted_at=state.acted_at if state.is_activity else base.seen_at,
            now=parts.clock.now() if token or renewal else state.acted_at,
            client=state.client,
            renewal=renewal,
        )

    async def _correct_time(self) -> None:
        """Correct the time of opening, if the store's clock is known only now."""
        await self._parts.clock.measure(self._parts.store)
        self._state.correct(self._parts.clock.offset, self._parts.clock.error)

    async def _update(self, change: Change) -> Outcome:
        over = await self._relist(change) if isinstance(change.privilege, SignIn) else ()
        self._state.is_in_doubt = True  # until there is an answer, or for good
        answer = await self._groups.save(change)
        self._state.is_in_doubt = False
        if isinstance(answer, Refusal):
            return await self._lost(change, answer.verdict, answer.found)
        if isinstance(answer, Exception):
            raise answer
        if answer.ends:
            self._state.signs_out |= answer.record.subject is not None
            self._state.start(None, self._parts.settings.empty)
            return await self._tell_end(answer.record, Ended.EMPTIED, Cookies())
        await self._make_room(answer.record, over)
        return self._saved(change, answer)

    async def _relist(self, change: Change) -> Sequence[str]:
        """Ask the bar before a session is signed in again, and renew its index entry.

        Record and entry are there already, so this order keeps G1; refused, the session stays.
        Returns which others are too many: they end once this one is saved, as that may be refused.
        """
        policy = self._parts.settings.policy
        renewed = change.base._replace(seen_at=change.now, ends_at=policy.ends_at(change.now))
        listed = await enlist(self._parts, self._state, renewed)
        if policy.at_limit is AtLimit.END_OLDEST:  # it is one of them already, so it is let in
            return await surplus(self._parts, listed, [renewed.id])
        return ()

    async def _make_room(self, record: Record, over: Sequence[str]) -> None:
        """End what is too many beside a session that was signed in again.

        That was too many before, so what cannot be ended now is left to the next sign-in: the token
        of before is dead already.
        """
        try:
            lives = await evict(self._parts, record, over)
        except StoreUnavailable as error:
            self._parts.tell(Happened.UNAVAILABLE, record.id, during=f"limit: {error}")
            return
        if not lives:
            raise Unauthenticated(_TOO_OFTEN)

    def _saved(self, change: Change, applied: Applied) -> Outcome:
        record, token = applied.record, applied.token
        for path in applied.overwritten:
            self._tell(Happened.OVERWRITTEN, record, key=path)
        self._show(record, applied.content)
        cookies = Cookies({Holder.of(record.subject): token} if token else {})
        if change.privilege is not None:
            is_step_up = isinstance(change.privilege, StepUp)
            self._tell(
                Happened.STEPPED_UP if is_step_up else Happened.ROTATED,
                record,
                cause="sign_in" if isinstance(change.privilege, SignIn) else None,
                assurance=record.assurance,
            )
            return Outcome(Done.ROTATED, cookies)
        if change.renewal is not None and record.renew_nonce == change.renewal.nonce:
            self._tell(Happened.RENEWED, record)
        return Outcome(Done.RENEWED if change.is_renewal_alone else Done.SAVED, cookies)

    async def _lost(self, change: Change, verdict: Verdict, found: Stored) -> Outcome:
        """Answer a change that cannot be applied to its session any more."""
        base, state = change.base, self._state
        if change.is_renewal_alone:
            return KEPT  # R6
        if isinstance(change.privilege, SignIn) and verdict in (Verdict.COPY, Verdict.EMPTY):
            if verdict is Verdict.COPY and isinstance(found, Record):
                return await self._fork(change, found, change.privilege)
            self._tell(Happened.DROPPED, base)
            state.leaving = ()  # what the visitor put in stays with it
            return await self._create(own(change, self._parts.settings), change.privilege)
        if verdict is Verdict.DROP:
            self._tell(Happened.DROPPED, base)
            show(self._session, {})
            state.start(None, self._parts.settings.empty)
            state.is_gone = True
            return Outcome(Done.DROPPED)
        if verdict is Verdict.SUPERSEDED:
            self._tell(Happened.SUPERSEDED, base)
        raise lost(found)

    async def _fork(self, change: Change, found: Record, sign_in: SignIn) -> Outcome:
        """Sign in beside the session, with a copy of its data if it has not ended by then (P5)."""
        parts, state = self._parts, self._state
        await self._correct_time()
        try:
            content = rebased(change, found, self._parts.settings)[0]
        except Undecodable:
            content = own(change, self._parts.settings)
        await self._throttle.admit(state.client, is_sign_in=True)
        instead_of = found if self._is_barred(found) else None
        new = await create(parts, state, content, sign_in, instead_of)
        try:
            if not await self._is_live(found.id):
                self._tell(Happened.DROPPED, found)
                state.leaving = ()
                new = await rewrite(parts, state, new, own(change, self._parts.settings))
            if instead_of is not None:
                await self._end_kept(instead_of)
        except BaseException:
            await take_back(parts, new.record)
            raise
        return await self._created(new)

    async def _is_live(self, id: str) -> bool:
        try:
            return isinstance(await self._parts.store.load(id), Record)
        except Undecodable:
            return False

    def _is_barred(self, base: Record) -> bool:
        """Tell whether this request ended all sessions of a session's subject."""
        bar = self._state.bar
        return bar is not None and bar[0] == base.subject

    async def _end_kept(self, base: Record) -> None:
        """End the session a sign-in leaves behind, though this request was to keep it.

        It was kept in the hands that this request knew, and changed them since.
        """
        parts, state, subject = self._parts, self._state, base.subject
        actor = state.actor_on(subject)
        await end(parts, base.id, subject, Ended.END_ALL, actor=actor, client=state.client)

    async def _create(self, content: bytes, sign_in: SignIn | None) -> Outcome:
        await self._correct_time()
        await self._throttle.admit(self._state.client, is_sign_in=sign_in is not None)
        return await self._created(await create(self._parts, self._state, content, sign_in))

    async def _created(self, new: Created) -> Outcome:
        try:
            if not await evict(self._parts, new.record, new.over):
                raise Unauthenticated(_TOO_OFTEN)
        except BaseException:
            await take_back(self._parts, new.record)
            raise
        self._show(new.record, new.content)
        cause = None if new.record.subject is None else "sign_in"
        self._tell(Happened.CREATED, new.record, cause=cause, assurance=new.record.assurance)
        return Outcome(Done.CREATED, Cookies({Holder.of(new.record.subject): new.token}))

    def _tell_actor(self, left: Record) -> None:
        """Tell that an impersonation has begun, or is over."""
        id, subject, actor = self._session.id, self._session.subject, self._session.actor
        tell, client = self._parts.tell, self._state.client
        if actor is not None:
            by = administrator(actor)
            tell(Happened.IMPERSONATION_STARTED, id, subject, actor=by, client=client)
        else:
            by = administrator(str(subject))
            tell(Happened.IMPERSONATION_STOPPED, left.id, left.subject, actor=by, client=client)

    def _show(self, record: Record, content: bytes) -> None:
        """Let the session show what is stored now, and warn when it has grown large."""
        settings, session, state = self._parts.settings, self._session, self._state
        if content != state.mark:
            mine = state.kept(session)
            is_set_meanwhile = self._differs(mine)
            data = state.data_of(content)
            if is_set_meanwhile:  # which stays in the dict, for the next commit to find
                noted = settings.codec.decode(state.mark)
                data = merge(without(noted), without(mine), data, {}, [])
            show(session, data)
        state.start(record, content)
        if len(content) * 2 >= settings.policy.max_size:
            taken = sizes(content, settings)
            largest = ", ".join(f"{key!r} {size}" for key, size in list(taken.items())[:5])
            self._tell(Happened.LARGE, record, size=len(content), largest=largest)

    def _tell(
        self, kind: Happened, record: Record, cause: str | None = None, **facts: str | int
    ) -> None:
        self._parts.tell_of(self._state, kind, record, cause=cause, **facts)

    def _differs(self, mine: Data) -> bool:
        """Tell whether another task set keys of the session after this commit began."""
        mark = self._state.mark
        try:
            return self._parts.settings.codec.encode(mine, mark) != mark
        except TypeError:
            return True
