"""What a `Sessions` works with: settings, store, clock, chance, and whoever listens."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from coatcheck.clock import Clock
from coatcheck.core.events import Event, Happened, Listener
from coatcheck.core.settings import Settings
from coatcheck.core.token import Token
from coatcheck.keyed import KeyedTokens
from coatcheck.stores.protocol import Store

_log = logging.getLogger("coatcheck")
_LOUD = {
    Happened.UNREADABLE,
    Happened.UNAVAILABLE,
    Happened.UNSAVED,
    Happened.LARGE,
    Happened.OVERWRITTEN,
    Happened.CREATION_LIMITED,
    Happened.GUESSING,
}


def log(event: Event) -> None:
    """Write an event to the logger `coatcheck`: the default listener."""
    facts = "".join(f" {name}={value}" for name, value in event.facts.items())
    level = logging.WARNING if event.kind in _LOUD else logging.INFO
    _log.log(level, "%s id=%s subject=%r%s", event.kind, event.id, event.subject, facts)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one application's sessions, checked once."""

    store: Store
    settings: Settings
    clock: Clock
    listener: Listener = log
    random: Callable[[int], bytes] = os.urandom
    tokens: KeyedTokens | None = None

    def mint(self, id: str | None = None) -> Token:
        """Make a token: for a new session, or a new lineage of session `id`."""
        return (self.tokens or Token).mint(self.random, id)

    def tell(
        self, kind: Happened, id: str | None, subject: str | None = None, **facts: str | int
    ) -> Event:
        """Report an event, and return it; a listener that fails is logged and harms nothing."""
        event = Event(kind, self.clock.now(), id, subject, facts)
        try:
            self.listener(event)
        except Exception:
            _log.exception("the event listener failed on %s", kind)
        return event
