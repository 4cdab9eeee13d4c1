"""Try again a bounded number of times, a little later each time."""

from random import random

from coatcheck.errors import StoreUnavailable
from coatcheck.waiting import pause

ATTEMPTS = 64


async def back_off(attempt: int) -> int:
    """Wait before trying again after attempt number `attempt`, from 0 on; return the next number.

    The first retry follows at once. The pauses are left to chance, so that threads and processes
    that collided come apart.

    Raises:
        StoreUnavailable: it is no use any more.
    """
    if attempt + 1 >= ATTEMPTS:
        raise StoreUnavailable("the session is written faster than this request can follow")
    if attempt > 0:
        await pause(random() * min(0.02, 0.001 * attempt))  # noqa: S311 - jitter, not a secret
    return attempt + 1
