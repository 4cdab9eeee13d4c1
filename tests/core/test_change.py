"""One attempt: the record to save over what is stored, whatever that is."""

import os
from typing import Any

import pytest

from coatcheck import Merge, Policy, Token
from coatcheck.codec import MessagePackCodec
from coatcheck.core.change import Applied, Change, apply
from coatcheck.core.intents import Difference, Privilege, Rotate, SignIn, Step, StepUp
from coatcheck.core.record import Client, Record
from coatcheck.core.settings import Settings
from coatcheck.core.verdict import Verdict
from coatcheck.errors import MergeRefused, SessionTooLarge
from coatcheck.testing import make_record, next_version

SETTINGS = Settings(
    MessagePackCodec(), Policy(max_size=300), rules={"whole": Merge.WHOLE, "no": Merge.REFUSE}
)
encode, decode = SETTINGS.codec.encode, SETTINGS.codec.decode


def record(data: dict[str, Any], **fields: Any) -> Record:
    return SETTINGS.filled(make_record(subject="alice", assurance=1, **fields), encode(data))


def later(base: Record, data: dict[str, Any]) -> Record:
    return SETTINGS.filled(next_version(base), encode(data))


def change(base: Record, data: dict[str, Any], privilege: Privilege = None) -> Change:
    before, after = SETTINGS.content(base), encode(data)
    steps: tuple[Step, ...] = (Difference(before, after),) if before != after else ()
    token = Token.mint(os.urandom, base.id) if privilege is not None else None
    now = base.seen_at + 60_000
    return Change(base, steps, (), after, privilege, token, now, now, Client("192.0.2.9", "curl"))


def applied(wanted: Change, stored: Record) -> tuple[Record, dict[str, Any], tuple[str, ...]]:
    result = apply(wanted, stored, SETTINGS, b"01234567")
    assert isinstance(result, Applied)
    assert SETTINGS.content(result.record) == result.content
    return result.record, decode(result.content), result.overwritten


def test_an_edit_is_the_next_version_and_nothing_else() -> None:
    base = record({"a": 1})
    new, data, lost = applied(change(base, {"a": 2}), base)
    assert (data, lost) == ({"a": 2}, ())
    assert new._replace(payload=b"") == base._replace(
        version=2, stamp=b"01234567", seen_at=base.seen_at + 60_000, payload=b""
    )


def test_an_edit_is_laid_over_what_is_stored_now() -> None:
    base = record({"a": 1, "b": 1})
    now = later(later(base, {"a": 5, "b": 5}), {"a": 5, "b": 5, "c": 5})
    new, data, lost = applied(change(base, {"a": 2, "b": 1}), now)
    assert (new.version, data, lost) == (4, {"a": 2, "b": 5, "c": 5}, ("a",))


def test_activity_only_grows() -> None:
    """T1."""
    base = record({"a": 1})
    touched = base._replace(seen_at=base.seen_at + 3_600_000)
    new, _, _ = applied(change(base, {"a": 2}), touched)
    assert new.seen_at == touched.seen_at


@pytest.mark.parametrize("privilege", [Rotate(), StepUp(2), SignIn("alice", 1)])
def test_a_privilege_change_leaves_no_older_secret(privilege: Privilege) -> None:
    """P1."""
    base = record({"a": 1}, former_digest=b"x" * 32, former_until=1, renew_nonce=b"n" * 8)
    wanted = change(base, {"a": 1}, privilege)
    new, data, _ = applied(wanted, base)
    assert wanted.token is not None
    assert (new.lineage_digest, new.digest) == wanted.token.digests()
    assert (new.former_digest, new.former_until, new.renew_nonce) == (None, None, None)
    assert (new.id, new.created_at, data) == (base.id, base.created_at, {"a": 1})
    assert new.assurance == (2 if isinstance(privilege, StepUp) else 1)
    signs_in, proves = isinstance(privilege, SignIn), isinstance(privilege, SignIn | StepUp)
    assert (new.ends_at > base.ends_at, new.client != base.client) == (signs_in, proves)


def test_a_key_that_must_not_merge_refuses() -> None:
    base = record({"no": 1})
    with pytest.raises(MergeRefused):
        apply(change(base, {"no": 2}), later(base, {"no": 3}), SETTINGS, bytes(8))


def test_data_that_grows_over_the_limit_by_merging_is_refused() -> None:
    base = record({})
    wanted, stored = change(base, {"mine": "x" * 200}), later(base, {"theirs": "x" * 200})
    with pytest.raises(SessionTooLarge, match="'theirs' 2"):
        apply(wanted, stored, SETTINGS, bytes(8))


def test_what_cannot_be_read_is_not_merged_and_not_overwritten() -> None:
    base = record({"a": 1})
    damaged = next_version(base)  # its payload is bound to other fields
    damaged = damaged._replace(payload=damaged.payload[:-1])
    assert apply(change(base, {"a": 2}), damaged, SETTINGS, bytes(8)) is Verdict.SUPERSEDED


def test_a_function_is_run_again_on_the_fresh_data() -> None:
    base = record({"n": 1})

    def double(data: dict[str, Any]) -> None:
        data["n"] *= 2

    wanted = change(base, {"n": 2})._replace(steps=(double,))
    assert applied(wanted, base)[1] == {"n": 2}
    assert applied(wanted, later(base, {"n": 10}))[1] == {"n": 20}
