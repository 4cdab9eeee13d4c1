"""An event loop that runs until everything in it waits, and whose time is moved by hand."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple

Args = TypeVarTuple("Args")


class SteppedLoop(asyncio.SelectorEventLoop):
    """Real asyncio, one step at a time: `settle` returns when no task can go on by itself."""

    def __init__(self) -> None:
        self._scheduled_calls = 0
        self._now = 0.0
        self._timers: list[asyncio.TimerHandle] = []
        super().__init__()

    def call_soon(
        self,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self._scheduled_calls += 1
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self._timers.append(timer)
        return timer

    def time(self) -> float:
        return self._now

    def settle(self) -> None:
        """Run whatever can run."""
        before = -1
        while before != self._scheduled_calls:
            before = self._scheduled_calls
            self.stop()
            self.run_forever()  # once, as it is stopped already

    def next_timer(self) -> float | None:
        """Return when the next timer is due."""
        self._timers = [
            timer for timer in self._timers if not timer.cancelled() and timer.when() > self._now
        ]
        return min((timer.when() for timer in self._timers), default=None)

    def drop_timers(self) -> None:
        """Forget what was to happen later."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def elapse(self) -> None:
        """Let time pass until the next timer is due, and run what it starts."""
        if (due := self.next_timer()) is not None:
            self._now = due
        self.settle()
