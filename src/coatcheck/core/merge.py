"""Three-way merge of session data: what I changed is laid over what others changed meanwhile.

Top-level keys, and keys inside string-keyed dicts, are merged one by one; everything else is a
leaf. A dict that others removed is one whose leaves they removed. Where both sides changed the same
leaf the later commit wins, and the overwriting is reported, also when both wrote the same (two
counters that met). Lists are never concatenated.
"""

# Values of any type are what this is about.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from coatcheck.errors import MergeRefused

Data = dict[str, Any]
_ABSENT: Any = object()


class Merge(StrEnum):
    """How a top-level key merges when two requests changed it at the same time."""

    WHOLE = "whole"
    """As one leaf: the later commit replaces the whole value."""
    REFUSE = "refuse"
    """Not at all: the later commit is refused with `MergeRefused`."""


def merge(
    base: Data, mine: Data, theirs: Data, rules: Mapping[str, Merge], lost: list[str]
) -> Data:
    """Return `theirs` with the difference between `base` and `mine` applied.

    Args:
        rules: top-level keys that do not merge leaf by leaf.
        lost: receives the path of each leaf of `theirs` that was overwritten.

    Raises:
        MergeRefused: both sides changed a key whose rule is `REFUSE`.
    """
    return _merge(base, mine, theirs, rules, lost, "")


def _merge(
    base: Data, mine: Data, theirs: Data, rules: Mapping[str, Merge], lost: list[str], at: str
) -> Data:
    result = dict(theirs)
    for key in [*base.keys() - mine.keys(), *mine]:
        old, new, now = base.get(key, _ABSENT), mine.get(key, _ABSENT), theirs.get(key, _ABSENT)
        if _equal(old, new):
            continue
        rule = rules.get(key)
        if _equal(old, now) or (new is now is _ABSENT):
            merged = new
        elif rule is Merge.REFUSE:
            raise MergeRefused(key)
        elif rule is None and _are_mergeable(old, new, now):
            inner: Data = {} if old is _ABSENT else old
            there: Data = {} if now is _ABSENT else now
            merged = _merge(inner, new, there, {}, lost, f"{at}{key}.")
            if now is _ABSENT and not merged:
                merged = _ABSENT
        else:
            lost.append(f"{at}{key}")
            merged = new
        if merged is _ABSENT:
            result.pop(key, None)
        else:
            result[key] = merged
    return result


def _are_mergeable(old: Any, new: Any, now: Any) -> bool:
    """Tell whether the three can be merged key by key; one that is absent counts as empty."""
    here = [value for value in (old, new, now) if value is not _ABSENT]
    return new is not _ABSENT and len(here) > 1 and all(map(_is_tree, here))


def _is_tree(value: Any) -> bool:
    return type(value) is dict and set(map(type, value)) <= {str}


def _equal(left: Any, right: Any) -> bool:
    """Compare as the codec would: `1`, `1.0` and `True` are three different values."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)
