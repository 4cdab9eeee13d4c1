"""Every group of up to four commits over whatever can be stored, beside a plain fold (J1)."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from coatcheck import Policy, Token
from coatcheck.codec import MessagePackCodec
from coatcheck.core.change import Applied, Change
from coatcheck.core.fold import Answer, Refusal, fold
from coatcheck.core.intents import Difference, Privilege, Rotate, SignIn, Step, StepUp
from coatcheck.core.merge import Data
from coatcheck.core.record import NOBODY, Ended, Record, Stored
from coatcheck.core.settings import Settings
from coatcheck.core.verdict import Verdict
from coatcheck.testing import make_record, make_tombstone, next_version

SETTINGS = Settings(MessagePackCodec(), Policy())
encode, decode = SETTINGS.codec.encode, SETTINGS.codec.decode
BASE = SETTINGS.filled(make_record(subject="alice", assurance=1), encode({"old": 1}))
OTHER_LINEAGE = next_version(BASE, lineage_digest=b"another lineage.")
STORED: dict[str, Stored] = {
    "as it was": BASE,
    "edited": SETTINGS.filled(next_version(BASE), encode({"old": 1, "theirs": 1})),
    "new lineage": SETTINGS.filled(OTHER_LINEAGE, encode({"old": 1})),
    "ended": make_tombstone(BASE.id),
    "moved": make_tombstone(BASE.id, Ended.MOVED, moved_to_subject="bob"),
    "absent": None,
}
PRIVILEGES: dict[str, Privilege] = {
    "step_up": StepUp(2),
    "rotate": Rotate(),
    "sign_in": SignIn("alice", 1),
}
KINDS = ["edit", "count", "take out", "fail", *PRIVILEGES]


def count(data: Data) -> None:
    data["n"] = data.get("n", 0) + 1


def fail(data: Data) -> None:
    data["half"] = 1
    raise LookupError


def random(number: int) -> bytes:
    return number.to_bytes(8)


def member(kind: str, number: int) -> Change:
    """Return a commit that was opened with the first data, and puts its number into it."""
    after: dict[str, Any] = {} if kind == "take out" else {"old": 1, f"edit{number}": 1}
    steps: tuple[Step, ...] = (Difference(encode({"old": 1}), encode(after)),)
    if kind == "count":
        after, steps = {"old": 1, "n": 1}, (count,)
    if kind == "fail":
        steps = (fail,)
    privilege = PRIVILEGES.get(kind)
    token = (
        Token.mint(lambda size: bytes([number]) * size, BASE.id) if privilege is not None else None
    )
    # Edits are run again only over other data; this one has failed in each case.
    base = BASE._replace(stamp=b"another.") if kind == "fail" else BASE
    seen_at = BASE.seen_at
    return Change(base, steps, (), encode(after), privilege, token, seen_at, seen_at, NOBODY)


class Plain(NamedTuple):
    """What the fold is to come to: an answer for each that has its turn, and what is stored."""

    answers: list[object]
    data: Data | None
    lineage: int | None
    ends: bool


def plain(kinds: Sequence[str], stored: str) -> Plain:
    """Fold by the table of docs/explanation/semantics.md, on a dict."""
    data: Data = {"old": 1, "theirs": 1} if stored == "edited" else {"old": 1}
    is_old = stored in ("as it was", "edited")
    lineage: int | None = None
    answers: list[object] = []
    has_saved = False
    for number, kind in enumerate(kinds):
        if not is_old or lineage is not None:
            answers.append(_refused(kind, stored))
        elif kind == "fail":
            answers.append(LookupError)
        elif kind == "take out" and data == {"old": 1}:
            if has_saved:
                return Plain(answers, data, lineage, ends=False)
            return Plain([*answers, Applied], {}, None, ends=True)
        else:
            _lay(kind, number, data)
            lineage = number if kind in PRIVILEGES else None
            has_saved = True
            answers.append(Applied)
    return Plain(answers, data if has_saved else None, lineage, ends=False)


def _refused(kind: str, stored: str) -> Verdict:
    is_there = stored in ("as it was", "edited", "new lineage")
    if kind == "sign_in":
        return Verdict.COPY if is_there else Verdict.EMPTY
    if is_there or stored == "moved":
        return Verdict.SUPERSEDED
    return Verdict.UNAUTHENTICATED if kind in PRIVILEGES else Verdict.DROP


def _lay(kind: str, number: int, data: Data) -> None:
    if kind == "count":
        count(data)
    elif kind == "take out":
        data.pop("old", None)
    else:
        data[f"edit{number}"] = 1


def shown(answer: Answer) -> object:
    return answer.verdict if isinstance(answer, Refusal) else type(answer)


def check(kinds: Sequence[str], stored: str) -> None:
    stamps = map(random, itertools.count(1))
    found = STORED[stored]
    changes = [member(kind, number) for number, kind in enumerate(kinds)]
    result = fold(changes, found, SETTINGS, lambda: next(stamps))
    expected = plain(kinds, stored)
    where = kinds, stored
    assert [shown(answer) for answer in result.answers] == expected.answers, where
    assert result.ends is expected.ends, where
    if expected.data is None:
        assert result.record is None, where
        return
    record = result.record
    assert isinstance(record, Record), where
    assert isinstance(found, Record)
    assert decode(SETTINGS.content(record)) == expected.data, where
    assert record.version == found.version + 1, where
    token = changes[expected.lineage].token if expected.lineage is not None else None
    lineage = token.digests().lineage if token else found.lineage_digest
    assert record.lineage_digest == lineage, where
    applied = [answer for answer in result.answers if isinstance(answer, Applied)]
    assert applied[-1].record is record, where
    for answer in applied:  # each is what its own change left, and one save at most (J3)
        assert SETTINGS.content(answer.record) == answer.content, where
        assert answer.record.version == record.version, where
    assert len({answer.record.stamp for answer in applied}) == len(applied), where


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_every_group(size: int, stored: str) -> None:
    for kinds in itertools.product(KINDS, repeat=size):
        check(kinds, stored)
