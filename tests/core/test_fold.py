"""One save for several changes: which of them it holds, and what each of them is told."""

import itertools
import os
from collections.abc import Sequence

import pytest

from coatcheck import Policy, Token
from coatcheck.codec import MessagePackCodec
from coatcheck.core.change import Applied, Change
from coatcheck.core.fold import Answer, Folded, Refusal, fold
from coatcheck.core.intents import Difference, Privilege, Rotate, StepUp
from coatcheck.core.record import NOBODY, Ended, Record, Stored, Tombstone
from coatcheck.core.settings import Settings
from coatcheck.core.verdict import Verdict
from coatcheck.errors import SessionTooLarge
from coatcheck.testing import make_record, make_tombstone, next_version

SETTINGS = Settings(MessagePackCodec(), Policy(max_size=300))
encode, decode = SETTINGS.codec.encode, SETTINGS.codec.decode


def record() -> Record:
    return SETTINGS.filled(make_record(subject="alice", assurance=1), encode({"old": 1}))


def put(base: Record, privilege: Privilege = None, **data: object) -> Change:
    before, after = SETTINGS.content(base), encode({"old": 1, **data})
    token = Token.mint(os.urandom, base.id) if privilege is not None else None
    steps = (Difference(before, after),)
    return Change(base, steps, (), after, privilege, token, base.seen_at, base.seen_at, NOBODY)


def emptied(base: Record) -> Change:
    change = put(base)
    return change._replace(
        content=SETTINGS.empty, steps=(Difference(change.content, SETTINGS.empty),)
    )


def folded(changes: Sequence[Change], stored: Stored) -> Folded:
    stamps = (number.to_bytes(8) for number in itertools.count(1))
    return fold(changes, stored, SETTINGS, lambda: next(stamps))


def kinds(answers: Sequence[Answer]) -> list[object]:
    return [a.verdict if isinstance(a, Refusal) else type(a) for a in answers]


def test_many_changes_are_one_version() -> None:
    """S4 looks for the save's own version after one without an answer."""
    base = record()
    result = folded([put(base, a=1), put(base, b=1), put(base, c=1)], base)
    assert result.record is not None
    assert result.record.version == base.version + 1
    assert decode(SETTINGS.content(result.record)) == {"old": 1, "a": 1, "b": 1, "c": 1}
    shown = [answer.content for answer in result.answers if isinstance(answer, Applied)]
    assert [len(decode(content)) for content in shown] == [2, 3, 4], "each as if it were alone"


def test_a_change_after_a_new_lineage_is_refused_and_those_before_it_hold() -> None:
    base = record()
    changes = [put(base, a=1), put(base, StepUp(2), b=1), put(base, c=1), put(base, Rotate(), d=1)]
    result = folded(changes, base)
    assert kinds(result.answers) == [Applied, Applied, Verdict.SUPERSEDED, Verdict.SUPERSEDED]
    assert result.record is not None
    assert decode(SETTINGS.content(result.record)) == {"old": 1, "a": 1, "b": 1}
    before, step_up = result.answers[:2]
    assert isinstance(before, Applied)
    assert isinstance(step_up, Applied)
    assert before.record.lineage_digest == base.lineage_digest, "it goes on with what it had"
    assert step_up.record == result.record


def test_no_two_records_of_a_fold_are_the_same_save() -> None:
    """Else a later save of one that was superseded would be taken for the newest."""
    base = record()
    result = folded([put(base, a=1), put(base, StepUp(2), b=1)], base)
    first, second = result.answers
    assert isinstance(first, Applied)
    assert isinstance(second, Applied)
    assert not first.record.is_same_save(second.record)


@pytest.mark.parametrize("stored", ["newer", "rotated", "ended", "moved", "absent"])
def test_each_is_decided_by_the_table(stored: str) -> None:
    base = record()
    rotated = next_version(base)._replace(lineage_digest=b"another lineage.")
    found: dict[str, Stored] = {
        "newer": SETTINGS.filled(next_version(base), encode({"old": 1, "theirs": 1})),
        "rotated": SETTINGS.filled(rotated, encode({"old": 1})),
        "ended": make_tombstone(base.id),
        "moved": Tombstone.of(base.id, Ended.MOVED, base.seen_at, "bob"),
        "absent": None,
    }
    result = folded([put(base, a=1), put(base, StepUp(2), b=1)], found[stored])
    expected = {
        "newer": [Applied, Applied],
        "rotated": [Verdict.SUPERSEDED] * 2,
        "ended": [Verdict.DROP, Verdict.UNAUTHENTICATED],
        "moved": [Verdict.SUPERSEDED] * 2,
        "absent": [Verdict.DROP, Verdict.UNAUTHENTICATED],
    }
    assert kinds(result.answers) == expected[stored]
    assert (result.record is None) == (stored != "newer")


def test_one_that_fails_leaves_nothing_behind() -> None:
    """J4"""
    base = record()

    def fail(data: dict[str, object]) -> None:
        data["half"] = 1
        raise LookupError

    failing = put(base, x=1)._replace(steps=(fail,))
    large = put(base, large="x" * 300)
    result = folded([put(base, a=1), failing, large, put(base, b=1)], base)
    assert kinds(result.answers) == [Applied, LookupError, SessionTooLarge, Applied]
    assert result.record is not None
    assert decode(SETTINGS.content(result.record)) == {"old": 1, "a": 1, "b": 1}


def test_one_that_empties_the_session_stands_alone() -> None:
    """J2"""
    base = record()
    result = folded([emptied(base), put(base, a=1)], base)
    assert (result.ends, len(result.answers)) == (True, 1)


def test_one_that_empties_it_waits_for_those_before_it() -> None:
    base = record()
    gone = emptied(base)._replace(steps=(dict[str, object].clear,))
    result = folded([put(base, a=1), gone, put(base, b=1)], base)
    assert (result.ends, len(result.answers)) == (False, 1)
    assert result.record is not None
    again = folded([gone, put(base, b=1)], result.record)
    assert (again.ends, len(again.answers)) == (True, 1)


def test_nothing_to_write() -> None:
    base = record()
    assert folded([put(base, a=1)], None).record is None
