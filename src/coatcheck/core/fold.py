"""Changes of one session by several requests become one save: a fold, in the order they came.

Each is decided by the table with its own base on what the one before it left (J1), and has an
answer of its own: what the session was after it, as if each had been saved by itself (J3). One that
cannot be applied is left out (J4).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from coatcheck.core.change import Applied, Change, apply
from coatcheck.core.record import Record, Stored
from coatcheck.core.settings import Settings
from coatcheck.core.verdict import Verdict


class Refusal(NamedTuple):
    """Why a change was not applied, and what it met."""

    verdict: Verdict
    found: Stored


Answer = Applied | Refusal | Exception
"""What became of one change; the exception is one that applying it raised."""


class Folded(NamedTuple):
    """What is to be written over the stored record, and what that means for each change.

    Attributes:
        record: `None` where nothing is to be written.
        ends: no data is left in it, so the session is to be ended instead.
        answers: of the changes from the first on, true once this is written. Fewer than the changes
            where the rest has to wait for another fold.
    """

    record: Record | None
    ends: bool
    answers: list[Answer]


def fold(
    changes: Sequence[Change], stored: Stored, settings: Settings, stamp: Callable[[], bytes]
) -> Folded:
    """Lay changes over what is stored, one after the other.

    A change that leaves the session empty and so ends it stands alone: those that come after it
    meet the end (J2).
    """
    answers: list[Answer] = []
    last: Applied | None = None
    ends = False
    for change in changes:
        left = stored if last is None else last.record
        answer = _attempt(change, left, settings, stamp())
        if isinstance(answer, Applied):
            if answer.ends:
                if last is not None:
                    break
                ends = True
            if last is not None and isinstance(stored, Record):
                # However many changes it holds, it is one save: the version after the stored one.
                record = answer.record._replace(version=stored.version + 1)
                answer = answer._replace(record=record)
            last = answer
        answers.append(answer)
        if ends:
            break
    return Folded(last.record if last else None, ends, answers)


def _attempt(change: Change, left: Stored, settings: Settings, stamp: bytes) -> Answer:
    try:
        answer = apply(change, left, settings, stamp)
    except Exception as error:
        return error
    return Refusal(answer, left) if isinstance(answer, Verdict) else answer
