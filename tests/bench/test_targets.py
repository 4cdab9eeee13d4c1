"""A target is reached or not by the medians."""

from collections.abc import Mapping
from typing import Any

import pytest

from bench.rounds import Figures
from bench.subjects import GROUPS, OURS
from bench.targets import Target, memory_targets, targets

COUNTED = {
    "read": {"redis_commands": 1.005, "redis_writes": 0.0},
    "write": {"redis_commands": 2.0},
    "anonymous": {"redis_commands": 0.0},
}
COUNTS = {
    subject.name: COUNTED for group in GROUPS for subject in group.ours if subject.store == "redis"
}


def measured(**added: float) -> dict[tuple[str, str], Figures]:
    """Figures in which all that count against coatcheck are low."""
    found: dict[tuple[str, str], Figures] = {
        (subject.name, kind): Figures(1, 0, 10 if subject.name in OURS else 100, 0, 9, 0, 0)
        for group in GROUPS
        for subject in group.subjects
        for kind in group.kinds
    }
    for name, value in added.items():
        subject, _, kind = name.rpartition("_")
        key = (subject.replace("_", "-"), kind)
        found[key] = found[key]._replace(added=value)
    return found


def missed(
    found: dict[tuple[str, str], Figures],
    counts: Mapping[str, Mapping[str, Any]] = COUNTS,
) -> list[str]:
    aims = [each for group in GROUPS for each in targets(group, found, counts)]
    return [each.text for each in aims if not each.is_reached]


def test_all_are_reached_by_figures_at_the_limits() -> None:
    assert missed(measured()) == []


@pytest.mark.parametrize(
    ("figure", "value", "count"),
    [
        ("coatcheck_redis_read", 21, 1),  # of starsessions' 100
        ("coatcheck_redis_read", 81, 2),  # of the signed cookie's, too
        ("coatcheck_sqlite_read", 81, 1),
        ("coatcheck_redis_write", 36, 1),
        ("coatcheck_sqlite_write", 71, 1),
        ("coatcheck_memory_hot", 21, 1),  # of 10 for spread writes
        ("flask_coatcheck_redis_read", 41, 1),  # of Flask-Session's 100
        ("flask_coatcheck_redis_read", 81, 2),
        ("flask_coatcheck_sqlite_read", 41, 1),
        ("django_coatcheck_redis_read", 56, 1),
        ("django_coatcheck_redis_write", 51, 1),
        ("django_coatcheck_sqlite_read", 16, 1),
        ("django_coatcheck_sqlite_write", 11, 1),
    ],
)
def test_processor_time_over_the_limit_misses(figure: str, value: float, count: int) -> None:
    assert len(missed(measured(**{figure: value}))) == count


@pytest.mark.parametrize("bad", [{"lost": 1}, {"refused": 1}])
def test_one_write_lost_or_refused_misses(bad: dict[str, int]) -> None:
    found = measured()
    for key in (("coatcheck-redis", "hot"), ("django-coatcheck-sqlite", "write")):
        found[key] = found[key]._replace(**bad)
    assert missed(found) == [
        "coatcheck, Redis: writes lost or refused",
        "coatcheck in Django, SQLite: writes lost or refused",
    ]


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        ("read", {"redis_commands": 1.5, "redis_writes": 0.0}),
        ("read", {"redis_commands": 1.0, "redis_writes": 0.005}),
        ("write", {"redis_commands": 2.1}),
        ("anonymous", {"redis_commands": 1.0}),
    ],
)
def test_a_command_more_misses(kind: str, bad: dict[str, float]) -> None:
    counts = COUNTS | {"coatcheck-redis": COUNTED | {kind: bad}}
    assert len(missed(measured(), counts=counts)) == 1


def test_a_byte_more_misses() -> None:
    assert [each.is_reached for each in memory_targets({"bytes": 1_650})] == [True]
    assert [each.is_reached for each in memory_targets({"bytes": 1_651})] == [False]


def test_the_limit_itself_is_within() -> None:
    assert Target("", 1, 1).is_reached
