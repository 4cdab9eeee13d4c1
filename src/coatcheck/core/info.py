"""What may be shown about a session: everything but the data and the digests."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from coatcheck.core.record import Client, Record


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session in a list of devices. Its `id` is a handle that opens nothing (ASVS V7.5.2)."""

    id: str
    subject: str | None
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    assurance: int
    client: Client

    @classmethod
    def of(cls, record: Record) -> Self:
        """Return what may be shown of `record`."""
        times = (record.created_at, record.seen_at, record.expires_at)
        created, seen, expires = (datetime.fromtimestamp(ms / 1000, UTC) for ms in times)
        return cls(
            record.id, record.subject, created, seen, expires, record.assurance, record.client
        )
