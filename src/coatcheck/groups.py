"""Join the commits of one session in this process: while one saves, the next ones wait and fold.

Without it each writer of a busy session would meet every other one in the store and try again. So
conflicts come from other processes only. The rules J1 to J6 are those of
docs/explanation/semantics.md; the fold itself is pure: `core.fold`.
"""

import asyncio
import os
import threading
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field

from coatcheck import writes
from coatcheck.backoff import back_off
from coatcheck.core.change import Change
from coatcheck.core.fold import Answer, Folded, Refusal, fold
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.verdict import Verdict
from coatcheck.errors import StoreUnavailable, Undecodable
from coatcheck.parts import Parts
from coatcheck.rekeyed import tell_of_key
from coatcheck.stores.protocol import Conflict
from coatcheck.waiting import Kind, running_loop, start

_Loop = asyncio.AbstractEventLoop


@dataclass(slots=True, eq=False)
class _Member:
    """A commit that waits; in an event loop until it is `told`, in a thread for its turn."""

    change: Change
    told: "asyncio.Future[None] | None" = None
    answer: Answer | None = None
    failure: Exception | None = None

    def tell(self, answer: Answer) -> None:
        self.answer = answer
        self._wake()

    def fail(self, failure: Exception) -> None:
        """Tell that nobody knows (J5).

        An outage is told to each by an error of its own: a traceback shows what a request held.
        """
        is_outage = isinstance(failure, StoreUnavailable)
        self.failure = StoreUnavailable(*failure.args) if is_outage else failure
        self._wake()

    def _wake(self) -> None:
        if self.told is not None and not self.told.done():
            self.told.set_result(None)

    @property
    def is_told(self) -> bool:
        return self.answer is not None or self.failure is not None

    def result(self) -> Answer:
        if self.answer is None:
            raise self.failure or AssertionError
        return self.answer


@dataclass(slots=True, eq=False)
class _Group:
    """The commits of one session, in one event loop or in all threads without one.

    Attributes:
        latest: what was stored last as far as is known here.
        threads: how many threads are in it.
    """

    waiting: deque[_Member] = field(default_factory=deque[_Member])
    latest: Record | None = None
    # Looked up when it is made: gevent may have put its own in place since this was imported.
    turn: threading.Lock = field(default_factory=lambda: threading.Lock())  # noqa: PLW0108
    threads: int = 0
    task: "asyncio.Task[None] | None" = None


class Groups:
    """The sessions that are being saved in this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._groups: dict[tuple[str, _Loop | None], _Group] = {}
        self._lock = threading.Lock()
        self._process = os.getpid()

    def save(self, change: Change) -> Awaitable[Answer]:
        """Save a change, with those that wait beside it; return what becomes of this one.

        Raises:
            StoreUnavailable: nobody can tell whether it was saved.
        """
        if (loop := running_loop()) is None:
            return self._save_in_thread(change)
        return self._save_in_loop(change, loop)

    async def wait(self) -> None:
        """Wait until what is being saved in this event loop is saved."""
        loop = running_loop()
        tasks = [group.task for key, group in list(self._groups.items()) if key[1] is loop]
        if waiting := [task for task in tasks if task is not None]:
            await asyncio.wait(waiting)

    async def _save_in_loop(self, change: Change, loop: _Loop) -> Answer:
        member = _Member(change)
        key = change.base.id, loop
        if group := self._groups.get(key):
            group.waiting.append(member)
        else:
            group = self._groups[key] = _Group(deque([member]))
            # A task of its own, so that it outlives each of the requests (J6); a store that hardly
            # ever waits needs none.
            turns = self._turns(key, group)
            is_slow = self._parts.store.kind is Kind.ASYNCIO
            group.task = loop.create_task(turns) if is_slow else start(turns, loop)
            if group.task is not None:  # it may be cancelled before it begins
                group.task.add_done_callback(lambda _: self._end(key, group))
        if not member.is_told:
            member.told = loop.create_future()
            await member.told
        return member.result()

    async def _turns(self, key: tuple[str, _Loop], group: _Group) -> None:
        try:
            while group.waiting:
                await self._turn(group)
        finally:
            self._end(key, group)

    def _end(self, key: tuple[str, _Loop], group: _Group) -> None:
        """Leave nobody waiting, and the next one free to begin."""
        if self._groups.get(key) is group:
            del self._groups[key]
        while group.waiting:
            member = group.waiting.popleft()
            member.fail(StoreUnavailable("the event loop stopped before the session was saved"))

    async def _save_in_thread(self, change: Change) -> Answer:
        if self._process != os.getpid():  # a fork took the groups along, but not their threads
            self._start_afresh()
        member = _Member(change)
        key = change.base.id, None
        with self._lock:
            group = self._groups.setdefault(key, _Group())
            group.threads += 1
        group.waiting.append(member)
        try:
            with group.turn:
                while not member.is_told:
                    await self._turn(group)
        finally:
            with self._lock:
                group.threads -= 1
                if not group.threads:
                    del self._groups[key]
        return member.result()

    async def _turn(self, group: _Group) -> None:
        """Save what waits, and answer it."""
        members: list[_Member] = []
        try:
            await self._save(group, members)
        except Exception as error:
            group.latest = None
            for member in members:
                member.fail(error)
        except BaseException:
            for member in members:
                member.fail(StoreUnavailable("stopped while the session was being saved"))
            raise

    async def _save(self, group: _Group, members: list[_Member]) -> None:
        _take(group.waiting, members)
        stored: Stored = group.latest or members[0].change.base
        attempt = 0
        while True:
            changes = [member.change for member in members]
            folded = fold(changes, stored, self._parts.settings, lambda: self._parts.random(8))
            try:
                if folded.record is not None and isinstance(stored, Record):
                    await self._write(folded.record, stored, folded.ends)
                    if not folded.ends:
                        tell_of_key(self._parts, stored, folded.record)
                break
            except Conflict as conflict:
                stored = conflict.stored
            except Undecodable:
                folded = Folded(None, False, [Refusal(Verdict.SUPERSEDED, stored)] * len(members))
                break
            try:
                attempt = await back_off(attempt)
            except StoreUnavailable as error:
                refused: list[Answer] = [StoreUnavailable(*error.args) for _ in members]
                folded = Folded(None, False, refused)
                break
            _take(group.waiting, members)
        group.latest = None if folded.ends else folded.record
        for member, answer in zip(members, folded.answers, strict=False):
            member.tell(answer)
        group.waiting.extendleft(reversed(members[len(folded.answers) :]))

    def _write(self, record: Record, stored: Record, ends: bool) -> Awaitable[object]:
        store = self._parts.store
        if not ends:
            return writes.save(store, record, stored)
        now = self._parts.clock.now()
        return writes.end(store, Tombstone.of(record.id, Ended.EMPTIED, now), stored)


def _take(waiting: deque[_Member], members: list[_Member]) -> None:
    """Move what waits over. Others may add to it at the same time."""
    while waiting:
        members.append(waiting.popleft())
