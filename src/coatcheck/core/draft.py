"""Write the next version of a record: pure, with time, randomness and token given."""

from coatcheck.core.intents import Privilege, SignIn, StepUp
from coatcheck.core.policy import Policy
from coatcheck.core.record import Client, Record
from coatcheck.core.token import Token


def first(
    token: Token, sign_in: SignIn | None, client: Client, policy: Policy, now: int, stamp: bytes
) -> Record:
    """Return the first record of a new session, without data yet."""
    digests = token.digests()
    return Record(
        id=token.id,
        version=1,
        stamp=stamp,
        subject=sign_in.subject if sign_in else None,
        lineage_digest=digests.lineage,
        digest=digests.secret,
        former_digest=None,
        former_until=None,
        renew_nonce=None,
        renewed_at=now,
        created_at=now,
        authenticated_at=_authenticated_at(sign_in, now),
        assurance=sign_in.assurance if sign_in else 0,
        seen_at=now,
        idle=policy.idle_ms,
        ends_at=_ends_at(sign_in, policy, now),
        client=client,
        payload=b"",
    )


def _authenticated_at(sign_in: SignIn | None, now: int) -> int | None:
    if sign_in is None:
        return None
    return sign_in.login.authenticated_at if sign_in.login else now


def _ends_at(sign_in: SignIn | None, policy: Policy, now: int) -> int:
    ends_at = policy.ends_at(now)
    return min(ends_at, sign_in.login.ends_at) if sign_in and sign_in.login else ends_at


def following(stored: Record, seen_at: int, stamp: bytes, payload: bytes = b"") -> Record:
    """Return the version after `stored`: one number higher, seen at the later of both times."""
    return stored._replace(
        version=stored.version + 1,
        stamp=stamp,
        seen_at=max(stored.seen_at, seen_at),
        payload=payload,
    )


def promoted(
    record: Record, privilege: Privilege, token: Token, client: Client, policy: Policy, now: int
) -> Record:
    """Return `record` in a new lineage; no former secret survives (P1).

    Signing in again starts both timeouts anew (NIST SP 800-63B-4 5.2), the rest starts none. Where
    the user was proved is what the session is bound to from then on.
    """
    digests = token.digests()
    record = record._replace(
        lineage_digest=digests.lineage,
        digest=digests.secret,
        former_digest=None,
        former_until=None,
        renew_nonce=None,
        renewed_at=now,
    )
    if isinstance(privilege, SignIn | StepUp):
        record = record._replace(authenticated_at=now, assurance=privilege.assurance, client=client)
    if isinstance(privilege, SignIn):
        record = record._replace(seen_at=now, idle=policy.idle_ms, ends_at=policy.ends_at(now))
    return record
