"""What a store keeps: the record of a live session, and the tombstone of an ended one.

Times are milliseconds since 1970 UTC, durations milliseconds. Both are named tuples rather than
dataclasses: a record is made on every read, and a tuple is made five times faster.
"""

from enum import StrEnum
from typing import NamedTuple

TOMBSTONE_KEPT = 120_000
"""How long a tombstone stands: twice the longest life of a message (C1)."""


class Client(NamedTuple):
    """Where a user was proved, or a visitor's session was opened from.

    Attributes:
        address: of the peer.
        agent: family and system of the user agent, `None` where there is none.
        platform: of the client hints; empty where none was sent, `None` where nobody knows.
        languages: primary tags of `Accept-Language`, parted by commas; likewise.
    """

    address: str | None = None
    agent: str | None = None
    platform: str | None = None
    languages: str | None = None


NOBODY = Client()
"""The client of a session that no request opened."""


class Record(NamedTuple):
    """A live session, as stored. Immutable; `version` and `stamp` change with every save.

    Attributes:
        stamp: 8 random bytes that tell this save from any other of the same version.
        subject: the user id, `None` while anonymous. An id has one subject for life.
        lineage_digest, digest: of the current token's two secrets.
        former_digest, former_until, renew_nonce, renewed_at: of the periodic renewal.
        seen_at: the last activity; only ever grows.
        idle, ends_at: the idle time allowed and the absolute end, fixed when they were granted.
        payload: the application's data in its envelope. Stores never look into it.
    """

    id: str
    version: int
    stamp: bytes
    subject: str | None
    lineage_digest: bytes
    digest: bytes
    former_digest: bytes | None
    former_until: int | None
    renew_nonce: bytes | None
    renewed_at: int
    created_at: int
    authenticated_at: int | None
    assurance: int
    seen_at: int
    idle: int
    ends_at: int
    client: Client
    payload: bytes

    @property
    def expires_at(self) -> int:
        """Derived, never stored: the earlier of the idle and the absolute end."""
        return min(self.seen_at + self.idle, self.ends_at)

    def is_same_save(self, other: "Record | Tombstone | None") -> bool:
        """Tell whether `other` is this very save; numbers alone repeat after a failover (S5)."""
        return (
            isinstance(other, Record)
            and self.version == other.version
            and self.stamp == other.stamp
        )

    def bound_to(self) -> bytes:
        """Return what the payload is bound to, so that it cannot stand in another record.

        The lineage is in it, so that nobody who can write to the store puts a token of their own
        into somebody's record.
        """
        fields = (
            f"{self.id} {self.created_at} {self.authenticated_at} {self.assurance} {self.idle} "
            f"{self.ends_at} {self.subject}"
        )
        return self.lineage_digest + fields.encode()

    def __repr__(self) -> str:
        who = "anonymous" if self.subject is None else f"of {self.subject!r}"
        return f"<Record {self.id} v{self.version} {who}>"


class Ended(StrEnum):
    """Why a session ended."""

    END = "end"
    EMPTIED = "emptied"
    END_ALL = "end_all"
    REVOKED = "revoked"
    MOVED = "moved"
    REFUSED = "refused"
    REPLAYED = "replayed"
    BINDING = "binding"
    EVICTED = "evicted"
    """The user signed in elsewhere, over the limit of `Policy.max_sessions`."""

    @classmethod
    def of(cls, why: str) -> "Ended | None":
        """Return the reason a tombstone tells; `None` for one this version does not know."""
        try:
            return cls(why)
        except ValueError:
            return None


class Tombstone(NamedTuple):
    """What is left of an ended session for a while, so that late requests learn what happened.

    Attributes:
        moved_to_subject: whose session took its place, when `why` is `MOVED`.
        keep_until: when the store may forget it.
    """

    id: str
    why: str
    at: int
    moved_to_subject: str | None
    keep_until: int

    @classmethod
    def of(cls, id: str, why: Ended, now: int, moved_to: str | None = None) -> "Tombstone":
        """Return a tombstone that stands from `now` for its time."""
        return cls(id, why, now, moved_to, now + TOMBSTONE_KEPT)


Stored = Record | Tombstone | None
"""The three things a store can find under an id."""
