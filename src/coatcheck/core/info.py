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
    """Return milliseconds UTC as an aware time."""
    return datetime.fromtimestamp(ms / 1000, UTC)
