"""Record activity: behind the answers where an event loop runs, at once near a session's end."""

import asyncio

from coatcheck.core.events import Happened
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.parts import Parts
from coatcheck.waiting import running_loop

BEHIND = 1.0
"""Seconds that activity may wait to be recorded (T3); a crash may cost as much of it."""
_BATCH = 64
_LIMIT = 10_000


class Touches:
    """The activity of this process's requests that is not recorded yet.

    Requests of one session at the same time are recorded as one. What fails is tried again; what is
    dropped in a long outage is recorded by the session's next request.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: dict[str, tuple[Record, int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    async def record(self, base: Record, acted_at: int) -> Record:
        """Record activity, and return `base` with it. Never raises."""
        loop = running_loop()
        if loop is None or self._parts.settings.policy.is_near_end(base, acted_at):
            return await self.record_now(base, acted_at)
        self._add(base, acted_at)
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(BEHIND, self._start, loop)
        return base._replace(seen_at=acted_at)

    async def record_now(self, base: Record, acted_at: int) -> Record:
        """Record activity before going on; return `base` as it then is. Never raises."""
        failure = await self._touch(base, acted_at)
        if failure is None:
            return base._replace(seen_at=acted_at)
        self._tell(base, failure)
        return base

    async def flush(self) -> None:
        """Record now what waits. Never raises; what fails waits on."""
        while self._waiting:
            batch = [self._waiting.popitem()[1] for _ in range(min(_BATCH, len(self._waiting)))]
            failures = await asyncio.gather(*(self._touch(*each) for each in batch))
            failed = [
                (*each, failure) for each, failure in zip(batch, failures, strict=True) if failure
            ]
            for base, acted_at, _ in failed:
                self._add(base, acted_at)
            if failed:
                self._tell(failed[0][0], failed[0][2])
                return

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._flush_and_wait(loop))

    async def _flush_and_wait(self, loop: asyncio.AbstractEventLoop) -> None:
        await self.flush()
        if self._waiting:
            loop.call_later(BEHIND, self._start, loop)
        else:
            self._loop = None

    def _add(self, base: Record, acted_at: int) -> None:
        _, known = self._waiting.get(base.id, (base, 0))
        if len(self._waiting) < _LIMIT or base.id in self._waiting:
            self._waiting[base.id] = base._replace(payload=b""), max(known, acted_at)

    async def _touch(self, base: Record, acted_at: int) -> StoreUnavailable | None:
        try:
            await self._parts.store.touch(base, acted_at)
        except StoreUnavailable as error:
            return error
        return None

    def _tell(self, base: Record, failure: StoreUnavailable) -> None:
        during = f"touch: {failure}"
        self._parts.tell(Happened.UNAVAILABLE, base.id, base.subject, during=during)
