"""One clock for all processes: this machine's, corrected by what the store says (T5)."""

import time
from collections.abc import Callable
from typing import Protocol

from coatcheck.stores.protocol import Store

MEASURED_EVERY = 60_000


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

    async def measure(self, store: Store, /) -> int:
        """Compare with the store's clock, if that is due; return the correction `now` got."""
        ...


class StoreClock:
    """The local clock plus the offset measured from the store's answers, once a minute.

    Args:
        local: milliseconds UTC of this machine.
    """

    def __init__(self, local: Callable[[], int] = system) -> None:
        self._local = local
        self._offset = 0
        self._due = 0
        self.error = 0

    def now(self) -> int:
        """Return the store's time, as far as this process knows it."""
        return self._local() + self._offset

    async def measure(self, store: Store, /) -> int:
        """Ask the store, halve the way there and back, and remember what that leaves unknown."""
        before = self._local()
        if self._due - MEASURED_EVERY <= before < self._due:
            return 0
        if self._due:  # known well enough that nobody else need ask or wait
            self._due = before + MEASURED_EVERY
        theirs = await store.time()
        after = self._local()
        old, self._offset = self._offset, theirs - (before + after) // 2
        self.error = (after - before + 1) // 2
        self._due = after + MEASURED_EVERY
        return self._offset - old


class GivenClock:
    """A clock that the application gives and vouches for; tests move it."""

    error = 0

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now

    async def measure(self, store: Store, /) -> int:
        """Trust what was given."""
        return 0
