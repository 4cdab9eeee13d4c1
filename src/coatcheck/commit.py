"""Carry out what a session's intents ask for: the three ways to write, each a small loop.

`create` for a new session, `update` for a change in place, `move` for a sign-in as somebody else,
which takes two records. What a conflict means is decided in `core.outcome`.
"""

from random import random

from coatcheck import writes
from coatcheck.core.draft import filled, first, following, promoted
from coatcheck.core.events import Happened
from coatcheck.core.intents import LIBRARY_KEYS, SignIn
from coatcheck.core.merge import Data
from coatcheck.core.outcome import Done, Outcome, Verdict, decide
from coatcheck.core.policy import TOMBSTONE_KEPT
from coatcheck.core.rebase import rebase
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.session import Session
from coatcheck.core.token import Token
from coatcheck.errors import (
    SessionTooLarge,
    StoreUnavailable,
    Superseded,
    Unauthenticated,
    Undecodable,
)
from coatcheck.parts import Parts
from coatcheck.stores.protocol import Conflict
from coatcheck.waiting import pause

ATTEMPTS = 64


class Commit:
    """One commit of one session."""

    def __init__(self, parts: Parts, session: Session) -> None:
        self._parts, self._store, self._policy = parts, parts.store, parts.policy
        self._session, self._intents = session, session.intents

    async def run(self, *, discard: bool = False) -> Outcome:
        """Do it; with `discard` only an `end()` is done. See `Sessions.commit`."""
        intents, session = self._intents, self._session
        ended = await self._end(intents.ending, Ended.END) if intents.ending else None
        if discard:
            return ended or Outcome(Done.KEPT)
        if intents.is_gone:
            session.clear()
            return Outcome(Done.DROPPED)
        intents.note(session)
        sign_in = intents.privilege if isinstance(intents.privilege, SignIn) else None
        base = intents.base
        is_empty = intents.mark == self._parts.empty
        if base is None:
            if is_empty and sign_in is None:
                return ended or Outcome(Done.KEPT)
            await self._open_late()
            return await self._create(intents.mark, sign_in)
        edited = intents.mark != intents.content
        if edited and is_empty and sign_in is None:
            session.end()
            return await self._end(base, Ended.EMPTIED)
        if intents.privilege is None and not edited:
            return await self.touch()
        await self._open_late()
        if sign_in and sign_in.subject != base.subject:
            return await self._move(base, sign_in)
        return await self._update(base, edited)

    async def _open_late(self) -> None:
        """Correct the time of opening if the store's clock is known only now."""
        self._intents.opened_at += await self._parts.clock.measure(self._store)

    @property
    def _acted_at(self) -> int:
        """The activity to record: the request's opening, or now for a commit after its first."""
        intents = self._intents
        if not intents.is_activity and intents.base is not None:
            return intents.base.seen_at
        return self._parts.clock.now() if intents.is_committed else intents.opened_at

    async def touch(self) -> Outcome:
        """Record the request's activity, if that is due; it is worth no failure of the request."""
        base, seen_at = self._intents.base, self._acted_at
        if base is None or not self._policy.touch_due(base, seen_at):
            return Outcome(Done.KEPT)
        try:
            await self._store.touch(base, seen_at)
        except StoreUnavailable as error:
            self._parts.tell(Happened.UNAVAILABLE, base.id, base.subject, during=f"touch: {error}")
            return Outcome(Done.KEPT)
        self._intents.base = base._replace(seen_at=seen_at)
        return Outcome(Done.TOUCHED)

    async def _end(self, record: Record, why: Ended) -> Outcome:
        was_live = await writes.end(self._store, self._tombstone(record.id, why))
        self._intents.ending = None
        if was_live:
            await writes.delist(self._store, record.subject, record.id)
            self._intents.cookies[record.subject is not None] = None  # C2: we ended a live record
            self._parts.tell(Happened.ENDED, record.id, record.subject, why=why)
        return Outcome(Done.ENDED)

    async def _create(self, content: bytes, sign_in: SignIn | None) -> Outcome:
        record, token = await self._write_new(content, sign_in)
        return self._finish(record, Outcome(Done.CREATED, token), token)

    async def _update(self, base: Record, edited: bool) -> Outcome:
        intents, parts = self._intents, self._parts
        privilege, token = intents.privilege, None
        if privilege is not None:
            token = Token.mint(parts.random, base.id)
        stored, content = base, intents.mark
        for attempt in range(ATTEMPTS):
            record = following(stored, self._acted_at, parts.random(8))
            if token is not None:
                client, now = intents.client, parts.clock.now()
                record = promoted(record, privilege, token, client, self._policy, now)
            record = filled(record, self._sized(content), parts.envelope)
            try:
                await writes.save(self._store, record, stored)
                break
            except Conflict as conflict:
                found = conflict.stored
            except Undecodable as error:
                raise Superseded("another version of the application wrote the session") from error
            verdict = decide(base, privilege, edited, found)
            if verdict is not Verdict.APPLY or not isinstance(found, Record):
                return await self._lost(base, verdict, found)
            stored, content = found, self._rebased(found)
            await self._back_off(attempt)
        else:
            raise StoreUnavailable("the session is written faster than this request can follow")
        if isinstance(privilege, SignIn):
            await self._enlist(record)
        self._replace_data(content)
        done = Done.ROTATED if token else Done.SAVED
        return self._finish(record, Outcome(done, token), token)

    async def _lost(self, base: Record, verdict: Verdict, found: Stored) -> Outcome:
        """Answer a change that cannot be applied to its session any more."""
        privilege = self._intents.privilege
        sign_in = privilege if isinstance(privilege, SignIn) else None
        if verdict is Verdict.COPY and isinstance(found, Record):
            self._replace_data(self._rebased(found))
            return await self._create(self._intents.mark, sign_in)
        if verdict is Verdict.EMPTY:
            self._replace_data(self._own_content())
            return await self._create(self._intents.mark, sign_in)
        if verdict is Verdict.DROP:
            self._parts.tell(Happened.DROPPED, base.id, base.subject)
            self._session.clear()
            self._intents.is_gone = True
            return Outcome(Done.DROPPED)
        if verdict is Verdict.UNAUTHENTICATED:
            raise Unauthenticated("the session ended while this request ran")
        self._parts.tell(Happened.SUPERSEDED, base.id, base.subject)
        raise Superseded("the session changed its privileges or moved on while this request ran")

    async def _move(self, base: Record, sign_in: SignIn) -> Outcome:
        """Sign in under a new id: create, list, then close the old one as it was copied (P3)."""
        parts, store = self._parts, self._store
        content = self._intents.mark
        record, token = await self._write_new(content, sign_in)
        closed: Record | None = base
        tombstone = self._tombstone(base.id, Ended.MOVED, sign_in.subject)
        for attempt in range(ATTEMPTS):
            try:
                await writes.end(store, tombstone, closed)
            except Conflict as conflict:
                found = conflict.stored
            else:
                await writes.delist(store, base.subject, base.id)
                parts.tell(Happened.ENDED, base.id, base.subject, why=Ended.MOVED)
                break
            verdict = decide(base, sign_in, True, found)
            if verdict is Verdict.KEEP:
                break
            if verdict is Verdict.APPLY and isinstance(found, Record):
                closed = found
                if self._intents.carries:
                    content = self._moved(self._rebased(found))
                    record = await self._rewrite(record, content)
                await self._back_off(attempt)
                continue
            content = self._own_content()
            record = await self._rewrite(record, content)
            break
        else:
            raise StoreUnavailable("the session is written faster than this sign-in can follow")
        self._replace_data(content)
        return self._finish(record, Outcome(Done.CREATED, token), token)

    async def _write_new(self, content: bytes, sign_in: SignIn | None) -> tuple[Record, Token]:
        """Write a new record, then its index entry; nobody holds its token yet (G1)."""
        parts = self._parts
        token = Token.mint(parts.random)
        client, now = self._intents.client, parts.clock.now()
        record = first(token, sign_in, client, self._policy, now, parts.random(8))
        record = filled(record, self._sized(content), parts.envelope)
        await writes.save(self._store, record, None)
        await self._enlist(record)
        return record, token

    async def _rewrite(self, record: Record, content: bytes) -> Record:
        """Write the new record once more; only an `end_all` can have come in between."""
        parts = self._parts
        new = following(record, record.seen_at, parts.random(8))
        new = filled(new, self._sized(content), parts.envelope)
        try:
            await writes.save(self._store, new, record)
        except Conflict as conflict:
            raise Unauthenticated("all sessions of the user were ended meanwhile") from conflict
        return new

    async def _enlist(self, record: Record) -> None:
        """Add the index entry; where the bar refuses it, take the record back (G2)."""
        subject, bar = record.subject, self._intents.bar
        if subject is None:
            return
        own_bar = bar[1] if bar and bar[0] == subject else 0
        opened_at = self._intents.opened_at - self._parts.clock.error
        if not await writes.enlist(self._store, record, opened_at, own_bar):
            await writes.end(self._store, self._tombstone(record.id, Ended.REFUSED))
            self._parts.tell(Happened.SIGN_IN_REFUSED, record.id, subject)
            raise Unauthenticated("all sessions of the user were ended while this one signed in")

    def _finish(self, record: Record, outcome: Outcome, token: Token | None) -> Outcome:
        intents = self._intents
        intents.start(record, intents.mark)
        if token is not None:
            intents.cookies[record.subject is not None] = token
            kind = Happened.ROTATED if outcome.done is Done.ROTATED else Happened.CREATED
            self._parts.tell(kind, record.id, record.subject)
        return outcome

    def _rebased(self, stored: Record) -> bytes:
        """Return what is stored with this request's steps laid over it."""
        parts, lost = self._parts, list[str]()
        try:
            theirs = parts.codec.decode(parts.content(stored))
        except Undecodable as error:
            raise Superseded("another version of the application wrote the session") from error
        data = rebase(self._intents.steps, theirs, parts.codec, parts.rules, lost)
        for path in lost:
            parts.tell(Happened.OVERWRITTEN, stored.id, stored.subject, key=path)
        return parts.codec.encode(data)

    def _moved(self, content: bytes) -> bytes:
        """Return what of a visitor's data may move to a user: all but the library's keys (P5)."""
        codec = self._parts.codec
        data = codec.decode(content)
        return codec.encode({k: v for k, v in data.items() if not k.startswith(LIBRARY_KEYS)})

    def _own_content(self) -> bytes:
        """Return what this request itself put under keys that its session did not have."""
        intents, codec = self._intents, self._parts.codec
        if not intents.carries:
            return intents.mark
        old, data = codec.decode(intents.content), codec.decode(intents.mark)
        return codec.encode({key: value for key, value in data.items() if key not in old})

    def _replace_data(self, content: bytes) -> None:
        """Let the session show what was saved, when that is not what this request had."""
        if content != self._intents.mark:
            self._session.clear()
            self._session.update(self._parts.codec.decode(content))
            self._intents.mark = content

    def _sized(self, content: bytes) -> bytes:
        """Return `content`, refused over the limit and reported from half of it on."""
        limit, size = self._policy.max_size, len(content)
        if size * 2 >= limit:
            codec = self._parts.codec
            data: Data = codec.decode(content)
            taken = {key: len(codec.encode({key: value})) for key, value in data.items()}
            sizes = dict(sorted(taken.items(), key=lambda item: -item[1]))
            if size > limit:
                raise SessionTooLarge(size, limit, sizes)
            session = self._session
            self._parts.tell(
                Happened.LARGE, session.id, session.subject, size=size, largest=next(iter(sizes))
            )
        return content

    def _tombstone(self, id: str, why: Ended, moved_to: str | None = None) -> Tombstone:
        now = self._parts.clock.now()
        return Tombstone(id, why, now, moved_to, now + TOMBSTONE_KEPT)

    @staticmethod
    async def _back_off(attempt: int) -> None:
        """Wait a little, by chance, so that threads and processes that collided come apart."""
        if attempt:
            await pause(random() * min(0.02, 0.001 * attempt))  # noqa: S311 - jitter, not a secret
