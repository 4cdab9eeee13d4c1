"""What a presented token turns out to be, and how that is judged."""

from enum import Enum

from coatcheck.core.record import Record, Stored
from coatcheck.core.renewal import is_former_honoured
from coatcheck.core.token import Token, same


class Standing(Enum):
    """What the token of a request was. Anything but `CURRENT` is a request by nobody."""

    NONE = "none"
    """No token."""
    CURRENT = "current"
    RETIRED = "retired"
    """Of another lineage than the session's, or of an ended or moved one; also any other secrets
    for a known id."""
    REPLAYED = "replayed"
    """Renewed long ago: somebody holds a copy (R9)."""
    EXPIRED = "expired"
    ABSENT = "absent"
    """Nothing is known of it: never issued here, or over for long."""
    UNREADABLE = "unreadable"
    """Its record is damaged, or of a version of the application that can read it."""
    MALFORMED = "malformed"
    AMBIGUOUS = "ambiguous"
    """Two different tokens were presented."""
    UNREAD = "unread"
    """The request's headers were too long to look for a token."""
    DOUBTED = "doubted"
    """Good, but from a client that its user may not be at: see `Session.doubt`."""

    @property
    def is_deletable(self) -> bool:
        """Whether the client's copy may be deleted: no newer one can be under way (C1)."""
        return self in _DELETABLE


_DELETABLE = {Standing.EXPIRED, Standing.ABSENT, Standing.MALFORMED, Standing.AMBIGUOUS}


def judge(token: Token, stored: Stored, now: int) -> Standing:
    """Say what the token is worth; only `CURRENT` opens the session."""
    if stored is None:
        return Standing.ABSENT
    if not isinstance(stored, Record):
        return Standing.RETIRED if now < stored.keep_until else Standing.ABSENT  # not swept yet
    lineage, secret = token.digests()
    if same(lineage + secret, stored.lineage_digest + stored.digest):
        return Standing.CURRENT if now < stored.expires_at else Standing.EXPIRED
    if not same(lineage, stored.lineage_digest):
        return Standing.RETIRED  # R8
    if now >= stored.expires_at:
        return Standing.EXPIRED
    is_former = stored.former_digest is not None and same(secret, stored.former_digest)
    is_good = is_former and is_former_honoured(stored, now)
    return Standing.CURRENT if is_good else Standing.REPLAYED  # R7
