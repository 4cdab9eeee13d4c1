"""Periodic renewal as pure functions: R1 to R8 of docs/explanation/semantics.md."""

import os
from datetime import timedelta

import pytest

from coatcheck import Policy, Token
from coatcheck.core.policy import GRACE
from coatcheck.core.record import Record
from coatcheck.core.renewal import Renewal, is_due, quiet_until, renewed
from coatcheck.core.standing import Standing, judge
from coatcheck.testing import make_record

MINUTE = 60_000
POLICY = Policy()
NONCE, OTHER = bytes(16), bytes(15) + b"1"


def issued() -> tuple[Token, Record]:
    """Return a token, and the record it opens."""
    token = Token.mint(os.urandom)
    digests = token.digests()
    record = make_record(subject="alice")._replace(
        id=token.id, lineage_digest=digests.lineage, digest=digests.secret
    )
    return token, record


def proposed() -> tuple[Token, Token, Record, int]:
    """Return a token, its successor, the record that knows both, and the time."""
    token, record = issued()
    now = record.renewed_at + 20 * MINUTE
    record, successor = renewed(record, Renewal(token, NONCE, True), POLICY, now)
    assert successor is not None
    return token, successor, record, now


def test_the_successor_follows_from_the_token_and_the_nonce_alone() -> None:
    """R1. Fails when it is drawn at random, or when what is stored gives it away."""
    token, _ = issued()
    successor = token.successor(NONCE)
    assert successor == token.successor(NONCE)
    assert successor != token.successor(OTHER)
    assert (successor.id, successor.lineage) == (token.id, token.lineage)
    assert Token.parse(successor.reveal()) == successor
    assert Token(token.id, token.lineage, successor.secret).successor(NONCE) != successor


@pytest.mark.parametrize(("after", "is_proposed"), [(-1, False), (0, True), (1, True)])
def test_a_renewal_is_due_after_its_time(after: int, is_proposed: bool) -> None:
    token, record = issued()
    now = record.renewed_at + 15 * MINUTE + after
    new, successor = renewed(record, Renewal(token, NONCE, True), POLICY, now)
    assert is_due(record, POLICY, now) is is_proposed
    assert (successor is not None) is is_proposed
    assert (new != record) is is_proposed


@pytest.mark.parametrize("seen", [0, 13, 14, 29])
@pytest.mark.parametrize("renew_after", [None, timedelta(minutes=1), timedelta(minutes=15)])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5])
def test_it_is_quiet_until_something_is_due(
    share: float, renew_after: timedelta | None, seen: int
) -> None:
    """To the millisecond. Fails when a touch, a renewal, or a successor on its way is forgotten."""
    policy = Policy(touch_share=share, renew_after=renew_after)
    _, record = issued()
    record = record._replace(seen_at=record.renewed_at + seen * MINUTE)
    until = quiet_until(record, policy)

    def is_anything_due(now: int) -> bool:
        return now >= policy.touch_at(record) or is_due(record, policy, now)

    assert (is_anything_due(until - 1), is_anything_due(until)) == (False, True)
    _, _, record, now = proposed()
    used = record._replace(seen_at=now)
    assert quiet_until(used, policy) <= now, "that the successor arrived is to be noted"


def test_it_changes_secret_and_former_and_nothing_else() -> None:
    token, before = issued()
    now = before.renewed_at + 20 * MINUTE
    record, successor = renewed(before, Renewal(token, NONCE, True), POLICY, now)
    assert successor is not None
    assert record.digest == successor.digests().secret
    assert (record.former_digest, record.renew_nonce) == (token.digests().secret, NONCE)
    assert (record.former_until, record.renewed_at) == (None, now)
    undone = record._replace(
        digest=before.digest, former_digest=None, renew_nonce=None, renewed_at=before.renewed_at
    )
    assert undone == before


def test_nobodys_activity_proposes_nothing_and_no_policy_neither() -> None:
    token, record = issued()
    now = record.renewed_at + 20 * MINUTE
    assert renewed(record, Renewal(token, NONCE, False), POLICY, now) == (record, None)
    never = Policy(renew_after=None)
    assert renewed(record, Renewal(token, NONCE, True), never, now) == (record, None)


def test_the_one_before_gets_the_same_again_until_its_successor_is_used() -> None:
    """R1, R4. Fails when time alone retires it, or a second nonce makes a second branch."""
    token, successor, record, now = proposed()
    for later in (0, 61_000, 25 * MINUTE):
        record = record._replace(seen_at=now + later)
        assert judge(token, record, now + later) is Standing.CURRENT
        again = renewed(record, Renewal(token, OTHER, True), POLICY, now + later)
        assert again == (record, successor)


def test_the_first_use_of_the_successor_retires_the_one_before_with_a_grace() -> None:
    """R2, R3. Fails when it dies at once, or never."""
    token, successor, record, now = proposed()
    confirmed, nothing = renewed(record, Renewal(successor, OTHER, True), POLICY, now)
    assert nothing is None
    assert (confirmed.renew_nonce, confirmed.former_until) == (None, now + GRACE)
    assert judge(token, confirmed, now + GRACE - 1) is Standing.CURRENT
    assert renewed(confirmed, Renewal(token, OTHER, True), POLICY, now + 1) == (confirmed, None)
    assert judge(token, confirmed, now + GRACE) is Standing.REPLAYED
    assert judge(successor, confirmed, now + GRACE) is Standing.CURRENT


def test_nothing_is_renewed_while_a_former_one_is_honoured() -> None:
    """R5. Fails when two renewals follow so closely that an honest token is a replay."""
    often = Policy(renew_after=timedelta(seconds=1))
    _, successor, record, now = proposed()
    record, _ = renewed(record, Renewal(successor, OTHER, True), often, now)
    wish = Renewal(successor, OTHER, True)
    assert renewed(record, wish, often, now + GRACE - 1) == (record, None)
    assert renewed(record, wish, often, now + GRACE)[1] is not None


def test_a_stale_token_is_told_by_its_lineage_at_any_age() -> None:
    """R7, R8. Fails when only the last former one is known, or when garbage raises the alarm."""
    first, second, record, now = proposed()
    for _ in range(3):
        record, _ = renewed(record, Renewal(second, NONCE, True), POLICY, now)
        now += 20 * MINUTE
        record, third = renewed(record, Renewal(second, OTHER, True), POLICY, now)
        assert third is not None
        second = third
    record = record._replace(seen_at=now)
    assert judge(first, record, now) is Standing.REPLAYED
    assert judge(Token(first.id, first.lineage, "A" * 43), record, now) is Standing.REPLAYED
    foreign = Token.mint(os.urandom, first.id)
    assert judge(foreign, record, now) is Standing.RETIRED
    assert judge(Token(first.id, foreign.lineage, second.secret), record, now) is Standing.RETIRED
    assert judge(first, record, record.expires_at) is Standing.EXPIRED
