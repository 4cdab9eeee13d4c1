"""Whether what a session has open goes on: a WebSocket, or a stream."""

from enum import Enum

from coatcheck.core.record import Record, Stored
from coatcheck.core.token import same

PATIENCE = 60_000
"""Milliseconds that something stays open while the store does not say whether it may."""


class Fate(Enum):
    """Why it is over."""

    ENDED = "session ended"
    UNAVAILABLE = "sessions are unavailable"


def goes_on(base: Record, stored: Stored, now: int) -> bool:
    """Tell whether a session is what it was when it was known as `base`.

    It is not, once it ended, expired, or changed its privileges elsewhere.
    """
    return (
        isinstance(stored, Record)
        and same(stored.lineage_digest, base.lineage_digest)
        and now < stored.expires_at
    )


def is_same_hold(left: Record, right: Record) -> bool:
    """Tell whether two versions of a record are of one session in one lineage."""
    return left.id == right.id and same(left.lineage_digest, right.lineage_digest)
