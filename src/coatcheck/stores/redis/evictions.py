"""How many keys Redis has thrown away as its memory was full: it tells nobody by itself.

Every run of a server counts from nothing. What they had counted at the first look is the past. A
run that comes later, after a restart or a failover, is told of in full.
"""

import re

from redis.exceptions import NoPermissionError

from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis.node import Node
from coatcheck.stores.redis.servers import Servers

_RUN = re.compile(rb"^run_id:(\w+)", re.MULTILINE)
_COUNT = re.compile(rb"^evicted_keys:(\d+)", re.MULTILINE)


class Evictions:
    """Asks every master by `INFO`; where that is forbidden, once, and nothing is known."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._is_forbidden = False

    async def since_last(self, servers: Servers) -> int:
        """Return how many went since the last time; see `Evicting.evicted`.

        Raises:
            StoreUnavailable: a master did not answer; the next time tells what this one had to.
        """
        if self._is_forbidden:
            return 0
        try:
            counts = dict([await _count(master) for master in await servers.masters()])
        except StoreUnavailable as error:
            if not _is_forbidden(error):
                raise
            self._is_forbidden = True  # each refusal is a line in the server's ACL LOG
            return 0
        before, self._counts = self._counts, self._counts | counts
        if not before:
            return 0
        # It can have become less: by CONFIG RESETSTAT.
        return sum(max(0, count - before.get(run, 0)) for run, count in counts.items())


async def _count(master: Node) -> tuple[bytes, int]:
    """Return which run of a server this is, and how many keys it has thrown away."""
    reply = await master.send("INFO")
    run, count = _RUN.search(reply), _COUNT.search(reply)
    return run[1] if run else b"", int(count[1]) if count else 0


def _is_forbidden(error: StoreUnavailable) -> bool:
    """Tell whether the user may not ask, or nobody, as where `INFO` was renamed."""
    cause = error.__cause__
    return isinstance(cause, NoPermissionError) or "unknown command" in str(cause)
