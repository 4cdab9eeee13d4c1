"""What a write waits for besides its own reply: that replicas have it, too (`WAIT`)."""

from typing import NamedTuple

from coatcheck.stores.protocol import Unconfirmed


class Wait(NamedTuple):
    """How many replicas must have a write before it is acknowledged, and how long that may take."""

    replicas: int
    seconds: float

    @property
    def command(self) -> tuple[str, int, int]:
        """What follows the writes, on their connection."""
        return "WAIT", self.replicas, max(1, int(self.seconds * 1000))

    def shortfall(self, confirmed: int) -> Unconfirmed | None:
        """Return what to raise where too few have it."""
        if confirmed >= self.replicas:
            return None
        wanted = f"{self.replicas} within {self.seconds} seconds"
        return Unconfirmed(f"Redis: {confirmed} replicas have the write, not {wanted}")
