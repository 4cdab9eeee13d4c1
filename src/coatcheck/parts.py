"""What a `Sessions` works with: the parts it was given, checked once."""

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from coatcheck.clock import Clock, StoreClock
from coatcheck.codec import MsgspecCodec
from coatcheck.core.codec import Codec
from coatcheck.core.envelope import Checked, Envelope
from coatcheck.core.events import Event, Happened, Listener
from coatcheck.core.merge import Merge
from coatcheck.core.policy import Policy
from coatcheck.core.record import Record
from coatcheck.stores.protocol import Store

_log = logging.getLogger("coatcheck")
_LOUD = {Happened.UNREADABLE, Happened.UNAVAILABLE, Happened.LARGE, Happened.OVERWRITTEN}


def log(event: Event) -> None:
    """Write an event to the logger `coatcheck`: the default listener."""
    facts = "".join(f" {name}={value}" for name, value in event.facts.items())
    level = logging.WARNING if event.kind in _LOUD else logging.INFO
    _log.log(level, "%s id=%s subject=%r%s", event.kind, event.id, event.subject, facts)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts, and the few things done with all of them."""

    store: Store
    policy: Policy = field(default_factory=Policy)
    codec: Codec = field(default_factory=MsgspecCodec)
    envelope: Envelope = field(default_factory=Checked)
    rules: Mapping[str, Merge] = field(default_factory=dict[str, Merge])
    clock: Clock = field(default_factory=StoreClock)
    listener: Listener = log
    random: Callable[[int], bytes] = os.urandom
    empty: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "empty", self.codec.encode({}))

    def content(self, record: Record) -> bytes:
        """Return the encoded data of a record.

        Raises:
            Undecodable: it is damaged, or of a format this version does not know.
        """
        return self.envelope.unwrap(record.payload, record.about())

    def tell(
        self, kind: Happened, id: str | None, subject: str | None = None, **facts: str | int
    ) -> None:
        """Report an event; a listener that fails is logged and harms nothing."""
        try:
            self.listener(Event(kind, self.clock.now(), id, subject, facts))
        except Exception:
            _log.exception("the event listener failed on %s", kind)
