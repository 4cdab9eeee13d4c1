"""Let the store forget what expired: by whoever commits, now and then, in bounded batches."""

from random import random

from coatcheck.core.events import SYSTEM, Happened
from coatcheck.core.policy import GRACE
from coatcheck.errors import StoreUnavailable
from coatcheck.parts import Parts

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
        parts.tell(Happened.SWEPT, None, actor=SYSTEM, count=swept + batch)
        return swept + batch

    async def sweep(self) -> None:
        """Sweep. Never raises."""
        parts, now = self._parts, self._parts.clock.now()
        self._due = now + EVERY - int(random() * EVERY / 2)  # noqa: S311 - jitter, not a secret
        try:
            swept = await parts.store.sweep(now - GRACE, BATCH)
        except StoreUnavailable as error:
            parts.tell(Happened.UNAVAILABLE, None, during=f"sweep: {error}")
            return
        if swept:
            parts.tell(Happened.SWEPT, None, actor=SYSTEM, count=swept)
        if swept == BATCH:
            self._due = now + 1_000
