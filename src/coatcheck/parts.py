"""What a `Sessions` works with: settings, store, clock, chance, and whoever listens."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from coatcheck.clock import Clock
from coatcheck.core.events import Event, Happened, Listener
from coatcheck.core.settings import Settings
from coatcheck.stores.protocol import Store

_log = logging.getLogger("coatcheck")
_LOUD = {
    Happened.UNREADABLE,
    Happened.UNAVAILABLE,
    Happened.UNSAVED,
    Happened.LARGE,
    Happened.OVERWRITTEN,
    Happened.CSRF_REFUSED,
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

    def tell(
        self, kind: Happened, id: str | None, subject: str | None = None, **facts: str | int
    ) -> None:
        """Report an event; a listener that fails is logged and harms nothing."""
        try:
            self.listener(Event(kind, self.clock.now(), id, subject, facts))
        except Exception:
            _log.exception("the event listener failed on %s", kind)
