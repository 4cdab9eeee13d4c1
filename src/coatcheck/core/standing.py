"""Judge a presented token against what the store holds."""

from coatcheck.core.intents import Standing
from coatcheck.core.record import Record, Stored
from coatcheck.core.token import Token, same


def judge(token: Token, stored: Stored, now: int) -> Standing:
    """Say what the token is worth; only `CURRENT` opens the session (semantics: Open)."""
    if stored is None:
        return Standing.ABSENT
    if not isinstance(stored, Record):
        return Standing.RETIRED
    digests = token.digests()
    current = same(digests.secret, stored.digest) and same(digests.lineage, stored.lineage_digest)
    if not current:
        return Standing.RETIRED
    return Standing.CURRENT if now < stored.expires_at else Standing.EXPIRED
