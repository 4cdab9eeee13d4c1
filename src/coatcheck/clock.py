"""One clock for all processes: this machine's, corrected by what the store says (T5)."""

import sys
import time
from collections.abc import Callable
from typing import Protocol

from coatcheck.stores.protocol import Store

MEASURED_EVERY = 60_000
DRIFT = 10_000
"""In so many milliseconds a clock of a machine is off by another one, at the worst."""


def system() -> int:
    """Return this machine's clock, milliseconds UTC."""
    return time.time_ns() // 1_000_000


class Clock(Protocol):
    """Where a `Sessions` gets its time from."""

    @property
    def error(self) -> int:
        """How far `now` may be off the store's clock, milliseconds."""
        ...

    def now(self) -> int:
        """Return milliseconds UTC."""
        ...

    @property
    def due(self) -> int:
        """From when on it is time to `measure`, by `now`."""
        ...

    @property
    def offset(self) -> int:
        """What `now` adds to the local clock, milliseconds, as far as it is known."""
        ...

    async def measure(self, store: Store, /) -> None:
        """Compare with the store's clock, if it is due."""
        ...


class StoreClock:
    """A local clock plus the offset measured from the store's answers, once a minute.

    Args:
        local: milliseconds, from wherever; by default the monotonic clock, which nobody sets.
    """

    def __init__(self, local: Callable[[], int] | None = None) -> None:
        self._local = local or _monotonic
        self.due = self._measured_at = 0
        self.offset = 0 if local else system() - _monotonic()
        self.error = 0

    def now(self) -> int:
        """Return the store's time, as far as this process knows it."""
        return self._local() + self.offset

    async def measure(self, store: Store, /) -> None:
        """Ask the store, halve the way there and back, and remember what that leaves unknown.

        Of a slow answer, as where one node of a cluster was asked in vain before another, that is
        more than of the one before: then the one before stands, unless the two contradict.
        """
        if self.now() < self.due:
            return
        before = self._local()
        if self.due:
            self.due = self.now() + MEASURED_EVERY  # known well enough for all others to go on
        theirs = await store.time()
        after = self._local()
        offset, error = theirs - (before + after) // 2, (after - before + 1) // 2
        known = self.error + (after - self._measured_at) // DRIFT
        is_better = not self.due or error <= known
        if is_better or abs(offset - self.offset) > error + known:
            self.offset, self.error = offset, error
        else:
            self.error = known
        self._measured_at = after
        self.due = self.now() + MEASURED_EVERY


# The monotonic clock that goes on while the machine sleeps, where there is one.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def _monotonic() -> int:
    ns = time.monotonic_ns() if _CLOCK is None else time.clock_gettime_ns(_CLOCK)
    return ns // 1_000_000


class GivenClock:
    """A clock that the application gives and vouches for; tests move it."""

    error = 0
    offset = 0
    due = sys.maxsize

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now

    async def measure(self, store: Store, /) -> None:
        """Trust what was given."""
