"""What an access token says of a session that is stored (RFC 9068 2.2)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from coatcheck.core.claims import lineage_of
from coatcheck.core.record import Record


class Terms(NamedTuple):
    """What all tokens of an issuer have in common.

    Attributes:
        lifetime: seconds.
    """

    issuer: str
    audience: str | list[str]
    client: str
    lifetime: float


def lifetime_of(terms: Terms, expires_at: int, now: float) -> int:
    """Return for how many seconds a token may live: no longer than its session.

    Args:
        expires_at: when that is over, milliseconds since 1970.
        now: seconds since 1970.
    """
    return int(min(terms.lifetime, expires_at / 1_000 - now))


def claims_for(
    record: Record, actor: str | None, terms: Terms, *, id: str, now: int, lifetime: int
) -> Mapping[str, Any]:
    """Return the claims of a token.

    Args:
        actor: who acts as its subject, if somebody impersonates.
        id: of the token.
        now: seconds since 1970.
        lifetime: seconds.
    """
    said: dict[str, Any] = {
        "iss": terms.issuer,
        "sub": record.subject,
        "aud": terms.audience,
        "client_id": terms.client,
        "iat": now,
        "exp": now + lifetime,
        "jti": id,
        "sid": record.id,
        "lineage": lineage_of(record),
        "acr": f"aal{record.assurance}",
    }
    if record.authenticated_at is not None:
        said["auth_time"] = record.authenticated_at // 1_000
    if actor is not None:
        said["act"] = {"sub": actor}
    return said
