"""How many sessions one client may begin: counted in the store, so that all servers count as one.

Only what is created is counted. What is refused costs no store command: a client that is over its
limit stays so until the window ends.
"""

import logging

from coatcheck import writes
from coatcheck.core.events import Happened
from coatcheck.core.once import Once
from coatcheck.core.rates import ROOM, Rate, counted_as
from coatcheck.core.record import NOBODY, Client
from coatcheck.errors import TooManySessions
from coatcheck.parts import Parts

_log = logging.getLogger("coatcheck")


class Throttle:
    """Lets new sessions in by `Policy.visitor_rate` and `Policy.sign_in_rate`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._over = Once(ROOM)
        self._is_warned = False

    async def admit(self, client: Client, *, is_sign_in: bool) -> None:
        """Count a session that is about to be created.

        Raises:
            TooManySessions: the client is over its limit.
            StoreUnavailable: nobody can tell. The session could not be stored either.
        """
        policy = self._parts.settings.policy
        rate = policy.sign_in_rate if is_sign_in else policy.visitor_rate
        if rate is None or client == NOBODY:  # no request began it
            return
        who = counted_as(client.address)
        if who is None:
            self._warn()
        else:
            await self._count(client, "sign-ins" if is_sign_in else "visitors", who, rate)

    async def _count(self, client: Client, of: str, who: str, rate: Rate) -> None:
        parts, now = self._parts, self._parts.clock.now()
        window = rate.window(now)
        key = f"{of}:{who}:{window.number}"
        if key not in self._over:
            count = await writes.tally(parts.store, key, now, window.ends_at)
            if count <= rate.count:
                return
            self._over.add(key)
            if count == rate.count + 1:  # the same for one process only
                limit = rate.count
                parts.tell(
                    Happened.CREATION_LIMITED, None, client=client, network=who, of=of, limit=limit
                )
        raise TooManySessions(f"{rate.count} new sessions for one client", window.retry_after(now))

    def _warn(self) -> None:
        if not self._is_warned:
            self._is_warned = True
            _log.warning("new sessions are not limited where a client's address is not known")
