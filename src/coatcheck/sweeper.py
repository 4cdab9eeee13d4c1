"""Let the store forget what expired: by whoever commits, now and then, in bounded batches.

It is asked then, too, whether its server threw away what had not expired.
"""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from random import random

from coatcheck.core.events import SYSTEM, Happened
from coatcheck.core.policy import GRACE
from coatcheck.errors import StoreUnavailable
from coatcheck.parts import Parts
from coatcheck.stores.protocol import Store
from coatcheck.waiting import pause

EVERY = 60_000
BATCH = 1_000


class Sweeper:
    """Sweeps every 30 to 60 seconds, so that processes that began together come apart.

    The first commit sweeps, too, as a process may be over before long. While a batch does not
    suffice, it is once a second.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._due = 0

    def is_due(self, now: int) -> bool:
        """Tell whether it is time to `sweep`; also after a clock went back."""
        return not self._due - EVERY <= now < self._due

    async def sweep_all(self) -> int:
        """Sweep until nothing is left; return how many sessions are gone.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        parts, swept = self._parts, 0
        before = parts.clock.now() - GRACE
        while (batch := await parts.store.sweep(before, BATCH)) == BATCH:
            swept += batch
            await pause(0)  # a store that never waits would hold up everybody else
        parts.tell(Happened.SWEPT, None, actor=SYSTEM, count=swept + batch)
        return swept + batch

    async def sweep(self) -> None:
        """Sweep. Never raises."""
        parts, now = self._parts, self._parts.clock.now()
        self._due = now + EVERY - int(random() * EVERY / 2)  # noqa: S311 - jitter, not a secret
        try:
            if swept := await parts.store.sweep(now - GRACE, BATCH):
                parts.tell(Happened.SWEPT, None, actor=SYSTEM, count=swept)
            if swept == BATCH:
                self._due = now + 1_000
            if evicted := await _evicted(parts.store):
                parts.tell(Happened.EVICTED, None, actor=SYSTEM, count=evicted)
        except StoreUnavailable as error:
            parts.tell(Happened.UNAVAILABLE, None, during=f"sweep: {error}")


async def _evicted(store: Store) -> int:
    """Ask a store that is `Evicting`; what has the name and is something else is its own."""
    ask: Callable[[], Awaitable[int]] | None = getattr(store, "evicted", None)
    return await ask() if ask is not None and iscoroutinefunction(ask) else 0
