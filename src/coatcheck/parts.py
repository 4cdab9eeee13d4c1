"""What a `Sessions` works with: settings, store, clock, chance, and whoever listens."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field

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
}


def log(event: Event) -> None:
    """Write an event to the logger `coatcheck`: the default listener."""
    facts = "".join(f" {name}={value}" for name, value in event.facts.items())
    level = logging.WARNING if event.kind in _LOUD else logging.INFO
    _log.log(level, "%s id=%s subject=%r%s", event.kind, event.id, event.subject, facts)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one application's sessions, checked once.

    Attributes:
        ears: the library's own listeners, which never fail.
    """

    store: Store
    settings: Settings
    clock: Clock
    listener: Listener = log
    random: Callable[[int], bytes] = os.urandom
    ears: list[Listener] = field(default_factory=list[Listener])

    def tell(
        self, kind: Happened, id: str | None, subject: str | None = None, **facts: str | int
    ) -> Event:
        """Report an event, and return it; a listener that fails is logged and harms nothing."""
        event = Event(kind, self.clock.now(), id, subject, facts)
        try:
            self.listener(event)
        except Exception:
            _log.exception("the event listener failed on %s", kind)
        for ear in self.ears:
            ear(event)
        return event
