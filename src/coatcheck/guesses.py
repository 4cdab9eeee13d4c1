"""Tokens that open nothing, by client: whoever presents many of them is guessing.

Counted in this process alone, as a count that is shared would be a write for whoever makes one up.
"""

from coatcheck.core.events import Happened
from coatcheck.core.rates import Counts, counted_as
from coatcheck.core.record import Client
from coatcheck.errors import TooManyBadTokens
from coatcheck.parts import Parts


class Guesses:
    """Counts by `Policy.guess_rate` (OWASP Session Management, "Guessing and Brute Force")."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counts = Counts()

    def count(self, client: Client) -> TooManyBadTokens | None:
        """Count one token; return the error if it is to be refused for that."""
        policy, who = self._parts.settings.policy, counted_as(client.address)
        rate = policy.guess_rate
        if rate is None or who is None:
            return None
        now = self._parts.clock.now()
        window = rate.window(now)
        count = self._counts.add(who, window.number)
        if count == rate.count:
            self._parts.tell(Happened.GUESSING, None, client=client, network=who, count=count)
        if count <= rate.count or policy.on_guessing == "report":
            return None
        return TooManyBadTokens("too many tokens that open nothing", window.retry_after(now))
