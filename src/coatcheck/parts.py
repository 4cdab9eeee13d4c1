"""What a `Sessions` works with: settings, store, clock, chance, and whoever listens."""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field

from coatcheck.clock import Clock
from coatcheck.core.events import Event, Happened, Listener
from coatcheck.core.once import Once
from coatcheck.core.record import NOBODY, Client, Record
from coatcheck.core.settings import Settings
from coatcheck.core.state import State
from coatcheck.core.token import Token
from coatcheck.keyed import KeyedTokens
from coatcheck.stores.protocol import Store
from coatcheck.waiting import running_loop

_log = logging.getLogger("coatcheck")
_LOUD = {
    Happened.UNREADABLE,
    Happened.UNAVAILABLE,
    Happened.EVICTED,
    Happened.UNSAVED,
    Happened.LARGE,
    Happened.OVERWRITTEN,
    Happened.EVENTS_LOST,
    Happened.CSRF_REFUSED,
    Happened.CREATION_LIMITED,
    Happened.GUESSING,
}


def log(event: Event) -> None:
    """Write an event to the logger `coatcheck`: the default listener.

    One line, whatever is in it (ASVS 5.0 V16.4.1).
    """
    said = {"actor": event.actor, "cause": event.cause, **event.client._asdict(), **event.facts}
    facts = "".join(f" {name}={_line(value)}" for name, value in said.items() if value is not None)
    _log.log(level(event.kind), "%s id=%s subject=%a%s", event.kind, event.id, event.subject, facts)


def level(kind: Happened) -> int:
    """Return the level of logging that a kind of event deserves."""
    return logging.WARNING if kind in _LOUD else logging.INFO


def _line(value: str | int) -> str:
    text = str(value)
    return text if text.isascii() and text.isprintable() else ascii(text)


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
    reported: Once = field(default_factory=Once)
    ears: list[Listener] = field(default_factory=list[Listener])
    tokens: KeyedTokens | None = None

    def mint(self, id: str | None = None, lineage: str | None = None) -> Token:
        """Make a token: for a new session, or a new lineage of session `id`."""
        return (self.tokens or Token).mint(self.random, id, lineage)

    def tell(
        self,
        kind: Happened,
        id: str | None,
        subject: str | None = None,
        *,
        actor: str | None = None,
        cause: str | None = None,
        client: Client = NOBODY,
        **facts: str | int | None,
    ) -> None:
        """Report an event, with those facts that are known (not `None`)."""
        known = {name: fact for name, fact in facts.items() if fact is not None}
        self.send(Event(kind, self.clock.now(), id, subject, known, actor, cause, client))

    def send(self, event: Event) -> None:
        """Hand an event to the listener; one that fails is logged and harms nothing."""
        try:
            self.listener(event)
        except Exception:
            _log.exception("the event listener failed on %s", event.kind)
        for ear in self.ears:
            ear(event)

    def tell_of(
        self,
        state: State,
        kind: Happened,
        record: Record,
        *,
        cause: str | None = None,
        **facts: str | int,
    ) -> None:
        """Report what the user of a request did to a session, or who acts as that user."""
        id, subject, client = record.id, record.subject, state.client
        actor = state.actor_on(subject)
        self.tell(kind, id, subject, actor=actor, cause=cause, client=client, **facts)

    async def flush(self) -> None:
        """Have a listener that writes behind, as `observe.Audit` does, write now. Never raises."""
        flush = getattr(self.listener, "flush", None)
        try:
            if flush is None:
                return
            if running_loop() is None:
                flush()
            else:
                await asyncio.to_thread(flush)  # it may wait for a network
        except Exception:
            _log.exception("the event listener failed to flush")
