"""Look after the sessions that have a WebSocket or a stream open here, until they are over.

In an event loop one task looks at all of them every `Policy.watch_every`, and at once when this
process ends one. Threads have nobody to do that: they look between two chunks, as often.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import Context
from datetime import timedelta

from coatcheck.actors import is_dismissed
from coatcheck.core.events import Event, Happened
from coatcheck.core.fate import PATIENCE, Fate, goes_on, is_same_hold
from coatcheck.core.own import Actor
from coatcheck.core.record import Record, Stored
from coatcheck.core.session import Session
from coatcheck.errors import StoreUnavailable, Undecodable
from coatcheck.parts import Parts
from coatcheck.waiting import running_loop

_log = logging.getLogger("coatcheck")
_AT_ONCE = 64  # so that many hold no event loop up; what Redis is asked at once is one pipeline
_ENDS = {
    Happened.ENDED,
    Happened.ALL_ENDED,
    Happened.EVERYTHING_ENDED,
    Happened.ROTATED,
    Happened.STEPPED_UP,
}

Found = Stored | StoreUnavailable
OnEnd = Callable[[Fate], object]


class Watched:
    """A WebSocket or a stream of a session.

    Attributes:
        session: as it was opened; what it does to its privileges itself does not end it.
        fate: why it is over, `None` while it goes on.
    """

    __slots__ = (
        "_due",
        "_expires_at",
        "_on_end",
        "_parts",
        "_rounds",
        "_vouched_at",
        "fate",
        "session",
    )

    def __init__(
        self, parts: Parts, session: Session, base: Record, on_end: OnEnd | None = None
    ) -> None:
        self._parts, self.session, self._on_end = parts, session, on_end
        self.fate: Fate | None = None
        self._rounds: _Rounds | None = None
        self._vouch(base, session.state.opened_at)

    @property
    def is_due(self) -> bool:
        """Whether nobody can tell without a `look` that it goes on."""
        return self._parts.clock.now() >= self._due

    def doubt(self) -> None:
        """Note that it may be over: nothing passes any more without a `look`."""
        self._due = 0

    async def look(self) -> bool:
        """Ask the store, and tell whether it goes on."""
        state, now = self.session.state, self._parts.clock.now()
        before = state.base
        if self.fate is None:
            found = await find(self._parts, before.id, state.actor) if before else None
            self.settle(before, found, now)
        return self.fate is None

    def settle(self, before: Record | None, found: Found, now: int) -> None:
        """Draw the conclusion from what the store holds.

        Args:
            before: the session's record, as it was known when the store was asked.
            now: when that was; what was found says nothing about later, as there may be activity.
        """
        state = self.session.state
        if self.fate is not None or (state.is_committing and state.privilege is not None):
            return
        if state.base is None:
            self._end(Fate.ENDED)
        elif before is None or not is_same_hold(before, state.base):
            return  # it changed its privileges itself meanwhile: the next look tells
        elif isinstance(found, StoreUnavailable):
            if now >= min(self._expires_at, self._vouched_at + PATIENCE):
                self._end(Fate.UNAVAILABLE)
            else:
                self._put_off(now)
        elif isinstance(found, Record) and goes_on(before, found, now):
            self._vouch(found, now)
        else:
            self._end(Fate.ENDED)

    def leave(self) -> None:
        """Note that it is closed: nobody has to look after it any more."""
        if self._rounds is not None:
            self._rounds.remove(self)
            self._rounds = None

    def join(self, rounds: "_Rounds") -> None:
        """Be looked after in the rounds of an event loop."""
        self._rounds = rounds
        rounds.add(self)
        self._put_off(self._vouched_at)

    def _vouch(self, record: Record, now: int) -> None:
        self._expires_at, self._vouched_at = record.expires_at, now
        self._put_off(now)

    def _put_off(self, now: int) -> None:
        """Say when the next look is due; in rounds only where those come too late."""
        if self._rounds is None:
            due = now + every(self._parts) // timedelta(milliseconds=1)
        else:
            due = self._vouched_at + PATIENCE
        self._due = min(self._expires_at, due)

    def _end(self, fate: Fate) -> None:
        self.fate, self._due = fate, 0
        self.leave()
        if self._on_end is not None:
            try:
                self._on_end(fate)
            except Exception:
                _log.exception("what is open of session %s could not be closed", self.session.id)


class Lookout:
    """All that is open in this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rounds: dict[asyncio.AbstractEventLoop, _Rounds] = {}
        parts.ears.append(self._hear)

    def watch(self, session: Session, on_end: OnEnd | None = None) -> Watched | None:
        """Look after something that a session has open, if it is stored and was looked at.

        Args:
            on_end: is told when it is over, in this event loop. Without it whoever asks has to
                `look` when that is due.
        """
        state = session.state
        if state.base is None or not state.is_seen:
            return None
        watched = Watched(self._parts, session, state.base, on_end)
        if on_end is not None:
            loop = asyncio.get_running_loop()
            if loop not in self._rounds:
                self._rounds[loop] = _Rounds(self._parts, loop, lambda: self._rounds.pop(loop))
            watched.join(self._rounds[loop])
        return watched

    def _hear(self, event: Event) -> None:
        """Look at once at what an event of this process may have ended."""
        if event.kind not in _ENDS:
            return
        for loop, rounds in list(self._rounds.items()):
            if loop is running_loop():
                rounds.hear(event)
            else:
                with suppress(RuntimeError):  # it was closed
                    loop.call_soon_threadsafe(rounds.hear, event)


class _Rounds:
    """The looks of one event loop, for as long as something is open there."""

    def __init__(
        self, parts: Parts, loop: asyncio.AbstractEventLoop, forget: Callable[[], object]
    ) -> None:
        self._parts, self._forget = parts, forget
        self._open: set[Watched] = set()
        self._ids: set[str] = set()
        self._asked = asyncio.Event()
        self._ended: set[str | None] = set()
        self._barred: set[str | None] = set()
        # In a context of nobody's: it is for many requests.
        self._task = loop.create_task(self._run(), context=Context())

    def add(self, watched: Watched) -> None:
        self._open.add(watched)
        self._ids.update(_ids((watched,)))

    def remove(self, watched: Watched) -> None:
        self._open.discard(watched)
        if not self._open:
            self._forget()
            self._task.cancel()

    def hear(self, event: Event) -> None:
        if event.kind is Happened.EVERYTHING_ENDED:
            self._ended.update(self._ids)
        elif event.kind is Happened.ALL_ENDED:
            self._barred.add(event.subject)
        elif event.id in self._ids:
            self._ended.add(event.id)
        else:
            return
        for watched in self._asked_about():  # a message may come before the look
            watched.doubt()
        self._asked.set()

    async def _run(self) -> None:
        loop, wait = asyncio.get_running_loop(), every(self._parts).total_seconds()
        due = loop.time() + wait
        while True:
            try:
                async with asyncio.timeout_at(due):
                    await self._asked.wait()
                watched = self._asked_for()
            except TimeoutError:
                due = loop.time() + wait
                watched, self._ids = list(self._open), _ids(self._open)
            try:
                await self._look(watched)
            except Exception:
                _log.exception("nobody could look after what is open")

    def _asked_for(self) -> list[Watched]:
        watched = self._asked_about()
        self._ended, self._barred = set(), set()
        self._asked.clear()
        return watched

    def _asked_about(self) -> list[Watched]:
        return [
            each
            for each in self._open
            if (base := each.session.state.base) is None
            or base.id in self._ended
            or base.subject in self._barred
            or ((actor := each.session.state.actor) and actor.subject in self._barred)
        ]

    async def _look(self, watched: list[Watched]) -> None:
        """Look at some of what is open: once at each session, whatever it has open."""
        await self._measure()
        befores, now = (
            [(each, each.session.state.base) for each in watched],
            self._parts.clock.now(),
        )
        actors = {base.id: each.session.state.actor for each, base in befores if base is not None}
        found: dict[str, Found] = {}
        ids = sorted(actors)
        for start in range(0, len(ids), _AT_ONCE):
            batch = ids[start : start + _AT_ONCE]
            looks = (find(self._parts, id, actors[id]) for id in batch)
            found.update(zip(batch, await asyncio.gather(*looks), strict=True))
        failures = [each for each in found.values() if isinstance(each, StoreUnavailable)]
        if failures:
            self._parts.tell(Happened.UNAVAILABLE, None, during=f"look: {failures[0]}")
        for each, before in befores:
            each.settle(before, found.get(before.id) if before else None, now)

    async def _measure(self) -> None:
        with suppress(StoreUnavailable):  # the look says so
            await self._parts.clock.measure(self._parts.store)


async def find(parts: Parts, id: str, actor: Actor | None) -> Found:
    """Return what is stored; nothing, where it cannot be read, or who acts there may not any more.

    Never raises.
    """
    try:
        if actor is not None and await is_dismissed(parts, actor.subject, actor.begun_at):
            return None
        return await parts.store.load(id)
    except Undecodable:
        return None
    except StoreUnavailable as error:
        return error
    except Exception as error:
        _log.exception("the store failed to load session %s", id)
        return StoreUnavailable(str(error))


def every(parts: Parts) -> timedelta:
    """Return how long after an end it is noticed at the latest, apart from the look itself."""
    return parts.settings.policy.watch_every


def _ids(watched: Iterable[Watched]) -> set[str]:
    bases = (each.session.state.base for each in watched)
    return {base.id for base in bases if base is not None}
