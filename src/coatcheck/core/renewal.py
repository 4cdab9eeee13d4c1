"""Periodic renewal: the same session and lineage under the next secret.

The rules R1 to R9 are those of docs/explanation/semantics.md. A successor is *proposed* when it is
stored and *confirmed* when it is first presented; until then the one before it is as good.
"""

from typing import NamedTuple

from coatcheck.core.policy import GRACE, Policy
from coatcheck.core.record import Record
from coatcheck.core.token import Token, same


class Renewal(NamedTuple):
    """What a commit may do for the token its request came with, fixed when it starts.

    Attributes:
        presented: that token; a secret.
        nonce: 16 random bytes, for the case that it is the one to propose a successor.
        proposes: whether it may; what is nobody's activity may not.
    """

    presented: Token
    nonce: bytes
    proposes: bool

    def is_former_of(self, record: Record) -> bool:
        """Tell whether the token is not the current one of a record that it opened."""
        return not same(self.presented.digests().secret, record.digest)


def is_due(record: Record, policy: Policy, now: int) -> bool:
    """Tell whether a successor is to be proposed (R5: not while a former one is honoured)."""
    return (
        policy.renew_ms is not None
        and now >= record.renewed_at + policy.renew_ms
        and not (record.former_digest is not None and is_former_honoured(record, now))
    )


def quiet_until(record: Record, policy: Policy) -> int:
    """Return until when nothing is due to a record, at the least: no touch, and no renewal."""
    if record.renew_nonce is not None:
        return 0
    touch_at = policy.touch_at(record)
    if policy.renew_ms is None:
        return touch_at
    return min(touch_at, record.renewed_at + policy.renew_ms)


def is_former_honoured(record: Record, now: int) -> bool:
    """Tell whether the one predecessor is still good: until its successor's use, and a grace on."""
    return record.renew_nonce is not None or now < (record.former_until or 0)


def renewed(
    record: Record, renewal: Renewal, policy: Policy, now: int
) -> tuple[Record, Token | None]:
    """Do for the presented token what is to be done on this very record.

    Returns:
        The record, and the successor that the client is to be told.
    """
    presented = renewal.presented
    digest = presented.digests().secret
    if same(digest, record.digest):
        if record.renew_nonce is not None:  # R2, R3: it was presented, so it arrived
            return record._replace(renew_nonce=None, former_until=now + GRACE), None
        if not (renewal.proposes and is_due(record, policy, now)):
            return record, None
        successor = presented.successor(renewal.nonce)
        proposed = record._replace(
            digest=successor.digests().secret,
            former_digest=digest,
            former_until=None,
            renew_nonce=renewal.nonce,
            renewed_at=now,
        )
        return proposed, successor
    former, nonce = record.former_digest, record.renew_nonce
    if former is not None and nonce is not None and same(digest, former):  # R1, R4: the same again
        return record, presented.successor(nonce)
    return record, None  # R6
