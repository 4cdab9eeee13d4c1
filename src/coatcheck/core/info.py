"""What may be shown about a session: everything but the data and the digests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from coatcheck.core.record import Client, Record


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session in a list of devices (ASVS 5.0 V7.5.2).

    Attributes:
        id: a handle to end it by, which opens nothing.
        is_current: whether it is the session that was named as the request's own.
    """

    id: str
    subject: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    authenticated_at: datetime | None
    assurance: int
    client: Client
    is_current: bool = False

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return what may be shown of `record`."""
        return cls(
            id=record.id,
            subject=record.subject,
            created_at=moment(record.created_at),
            seen_at=moment(record.seen_at),
            expires_at=moment(record.expires_at),
            authenticated_at=moment(record.authenticated_at) if record.authenticated_at else None,
            assurance=record.assurance,
            client=record.client,
        )


def moment(ms: int) -> datetime:
    """Return milliseconds UTC as an aware time.

    What lies beyond is the first or the last there is: one damaged record hides no other's list.
    """
    return datetime.fromtimestamp(max(0, min(ms, _LAST)) / 1000, UTC)


_LAST = 253_402_300_799_000
"""The last second of the year 9999, after which there is no `datetime`."""
