"""Tokens that open nothing, by client: whoever presents many of them is guessing.

Counted in this process alone, as a count that is shared would be a write for whoever makes one up.
"""

from hashlib import sha256

from coatcheck.core.events import Happened
from coatcheck.core.once import Once
from coatcheck.core.rates import ROOM, Counts, Window, counted_as
from coatcheck.core.record import Client
from coatcheck.core.token import Token
from coatcheck.errors import TooManyBadTokens
from coatcheck.parts import Parts


class Guesses:
    """Counts by `Policy.guess_rate` (OWASP Session Management, "Guessing and Brute Force")."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counts, self._known = Counts(), Once(ROOM)

    def count(self, client: Client, token: Token | None = None) -> TooManyBadTokens | None:
        """Count what a client presented; return the error if it is to be refused for that.

        The same token counts once in a window: a browser sends it with every picture of a page,
        before the answer that deletes it is there. It is refused like any other.

        Args:
            token: `None`, where it was none, counts each time.
        """
        policy, who = self._parts.settings.policy, counted_as(client.address)
        rate = policy.guess_rate
        if rate is None or who is None:
            return None
        now = self._parts.clock.now()
        window = rate.window(now)
        count = self._counts.add(who, window.number, 0)
        if count <= rate.count and self._is_new(token, who, window):
            count = self._counts.add(who, window.number)
            if count == rate.count:
                self._parts.tell(Happened.GUESSING, None, client=client, network=who, count=count)
        if count <= rate.count or policy.on_guessing == "report":
            return None
        return TooManyBadTokens("too many tokens that open nothing", window.retry_after(now))

    def _is_new(self, token: Token | None, who: str, window: Window) -> bool:
        """Tell whether a token is to be counted; whoever is over the limit leaves no marks."""
        return token is None or self._known.is_first((who, window.number, _mark(token)))


def _mark(token: Token) -> bytes:
    """Return what is remembered of a token, all three parts of it: guesses may share an id."""
    return sha256(token.reveal().encode()).digest()[:16]
