"""Three-way merge: what I changed over what others changed, key by key."""

# Values of any type are what this is about.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.core.merge import Data, Merge, merge
from coatcheck.errors import MergeRefused


def merged(base: Data, mine: Data, theirs: Data, **rules: Merge) -> tuple[Data, list[str]]:
    lost: list[str] = []
    return merge(base, mine, theirs, rules, lost), lost


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "expected", "lost"),
    [
        ({}, {"a": 1}, {"b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}, []),
        ({"a": 1}, {}, {"a": 1, "b": 2}, {"b": 2}, []),
        ({"a": 1}, {"a": 1, "b": 2}, {}, {"b": 2}, []),
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}, ["a"]),
        ({"c": {"a": 1}}, {"c": {"a": 2}}, {"c": {"a": 2}}, {"c": {"a": 2}}, ["c.a"]),
        ({"a": 1}, {}, {}, {}, []),
        ({"a": 1}, {"a": 2}, {"a": 3}, {"a": 2}, ["a"]),
        ({"a": 1}, {}, {"a": 3}, {}, ["a"]),
        ({"a": 1}, {"a": 2}, {}, {"a": 2}, ["a"]),
        ({"c": {}}, {"c": {"x": 1}}, {"c": {"y": 2}}, {"c": {"y": 2, "x": 1}}, []),
        ({}, {"c": {"x": 1}}, {"c": {"y": 2}}, {"c": {"y": 2, "x": 1}}, []),
        ({"c": {"x": 1}}, {"c": {"x": 2}}, {"c": {"x": 3}}, {"c": {"x": 2}}, ["c.x"]),
        ({"c": {"x": 1}}, {"c": {}}, {"c": {"x": 1, "y": 2}}, {"c": {"y": 2}}, []),
        ({"l": [1]}, {"l": [1, 2]}, {"l": [1, 3]}, {"l": [1, 2]}, ["l"]),
        ({"c": {1: 1}}, {"c": {1: 2}}, {"c": {2: 1}}, {"c": {1: 2}}, ["c"]),
        ({"c": {"x": 1}}, {"c": 5}, {"c": {"x": 2}}, {"c": 5}, ["c"]),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}, []),
        ({"a": 1}, {"a": 1}, {"a": 1.0}, {"a": 1.0}, []),
    ],
)  # fmt: skip
def test_merges(base: Data, mine: Data, theirs: Data, expected: Data, lost: list[str]) -> None:
    result = merged(base, mine, theirs)
    assert result == (expected, lost)
    assert repr(result[0]) == repr(expected)  # 1 and True are equal in Python, not here


def test_a_key_can_be_declared_to_merge_as_a_whole() -> None:
    base: Data = {"c": {"x": 1}}
    result = merged(base, {"c": {"x": 1, "y": 2}}, {"c": {"x": 1, "z": 3}}, c=Merge.WHOLE)
    assert result == ({"c": {"x": 1, "y": 2}}, ["c"])


def test_a_key_can_be_declared_to_refuse() -> None:
    with pytest.raises(MergeRefused) as refused:
        merged({"c": 1}, {"c": 2}, {"c": 3}, c=Merge.REFUSE)
    assert refused.value.key == "c"
    assert merged({"c": 1}, {"c": 2}, {"c": 1}, c=Merge.REFUSE) == ({"c": 2}, [])
    assert merged({"c": 1}, {"c": 1}, {"c": 2}, c=Merge.REFUSE) == ({"c": 2}, [])


def test_merging_changes_none_of_the_three() -> None:
    three: list[Data] = [{"c": {"x": 1}}, {"c": {"x": 1, "y": 1}}, {"c": {"x": 1, "z": 1}}]
    before = repr(three)
    merged(*three)
    assert repr(three) == before


leaves = st.one_of(st.integers(0, 3), st.booleans(), st.lists(st.integers(0, 2), max_size=2))
trees: st.SearchStrategy[Any] = st.recursive(
    leaves, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8
)
sessions = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


@given(sessions, sessions)
def test_who_changed_nothing_changes_nothing(base: Data, theirs: Data) -> None:
    assert merged(base, base, theirs) == (theirs, [])


@given(sessions, sessions)
def test_an_untouched_base_takes_everything(base: Data, mine: Data) -> None:
    assert merged(base, mine, base) == (mine, [])


def flat(data: Data, at: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= flat(value, f"{at}{key}.") if isinstance(value, dict) else {f"{at}{key}": value}
    return found


@given(sessions, sessions, sessions)
def test_no_leaf_of_mine_is_lost(base: Data, mine: Data, theirs: Data) -> None:
    """Every leaf that I added or changed is in the result."""
    result, old = flat(merged(base, mine, theirs)[0]), flat(base)
    for path, value in flat(mine).items():
        if path not in old or repr(old[path]) != repr(value):
            assert repr(result[path]) == repr(value)
