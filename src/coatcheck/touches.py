"""Record activity: behind the answers where an event loop runs, at once near a session's end."""

import asyncio
import logging
import time
from contextvars import Context

from coatcheck.core.events import Happened
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.parts import Parts
from coatcheck.waiting import running_loop

_log = logging.getLogger("coatcheck")

BEHIND = 1.0
"""Seconds that activity may wait to be recorded (T3); a crash may cost as much of it."""
_BATCH = 64  # at a time, so that many hold no event loop up
_LIMIT = 10_000  # sessions that wait in an outage: bounded memory
_ROUND = 4.0
"""Seconds after which failures end a round, as at the end of a process, which waits for it."""


class Touches:
    """The activity of this process's requests that is not recorded yet.

    Requests of one session at the same time are recorded as one. What fails is tried again; what is
    dropped in a long outage is recorded by the session's next request.

    Args:
        behind: whether it may wait at all: blocking callers have nobody to come back to it.
    """

    def __init__(self, parts: Parts, *, behind: bool) -> None:
        self._parts = parts
        self._behind = behind
        self._waiting: dict[str, tuple[Record, int]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_set = False
        self._flush: asyncio.Task[None] | None = None

    async def record(self, base: Record, acted_at: int) -> Record:
        """Record activity, and return `base` with it. Never raises."""
        loop = running_loop() if self._behind else None
        if self._loop is None:
            self._loop = loop
        # A loop that comes beside the first may be gone before it could come back to it.
        is_urgent = self._parts.settings.policy.is_near_end(base, acted_at)
        if loop is None or loop is not self._loop or is_urgent:
            return await self.record_now(base, acted_at)
        self._add(base, acted_at)
        self._set(loop)
        return base._replace(seen_at=acted_at)

    async def record_now(self, base: Record, acted_at: int) -> Record:
        """Record activity before going on; return `base` as it then is. Never raises."""
        failure = await self._touch(base, acted_at)
        if failure is None:
            return base._replace(seen_at=acted_at)
        self._tell(base, failure)
        return base

    async def flush(self) -> None:
        """Record now what waits, and wait for what is under way. Never raises.

        What fails waits on.
        """
        if self._flush is not None and self._loop is running_loop():
            await asyncio.wait([self._flush])
        await self._record_all()

    async def _record_all(self) -> None:
        pending, self._waiting = list(self._waiting.values()), {}
        all_failed: list[tuple[Record, int]] = []
        until = time.monotonic() + _ROUND
        try:
            while pending:
                batch = pending[:_BATCH]
                failures = await asyncio.gather(*(self._touch(*each) for each in batch))
                del pending[:_BATCH]
                failed = [each for each, failure in zip(batch, failures, strict=True) if failure]
                all_failed += failed
                if failed:
                    self._tell(failed[0][0], next(filter(None, failures)))
                    if len(failed) == len(batch) or time.monotonic() > until:
                        return  # it is no use now
        finally:
            # One node of a cluster may be away: others' sessions do not wait behind its own.
            for each in [*pending, *all_failed]:
                self._add(*each)

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_set:
            self._is_set = True
            # In a context of nobody's: it is for many requests.
            loop.call_later(BEHIND, self._start, loop, context=Context())

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._flush = loop.create_task(self._record_all())
        self._flush.add_done_callback(self._end)

    def _end(self, _: "asyncio.Task[None]") -> None:
        self._flush, self._is_set = None, False
        if self._waiting and self._loop is not None and not self._loop.is_closed():
            self._set(self._loop)

    def _add(self, base: Record, acted_at: int) -> None:
        _, known = self._waiting.get(base.id, (base, 0))
        if len(self._waiting) < _LIMIT or base.id in self._waiting:
            self._waiting[base.id] = base._replace(payload=b""), max(known, acted_at)

    async def _touch(self, base: Record, acted_at: int) -> Exception | None:
        try:
            await self._parts.store.touch(base, acted_at)
        except StoreUnavailable as error:
            return error
        except Exception as error:
            _log.exception("the store failed to record the activity of session %s", base.id)
            return error
        return None

    def _tell(self, base: Record, failure: Exception) -> None:
        during = f"touch: {failure}"
        self._parts.tell(Happened.UNAVAILABLE, base.id, base.subject, during=during)
