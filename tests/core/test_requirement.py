"""What a route asks for: levels, ages and their boundaries."""

from datetime import timedelta
from typing import Any

import pytest

from coatcheck.core.requirement import Requirement
from coatcheck.errors import ConfigurationError


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("5m", 300), ("1h", 3_600), ("2d", 172_800), (timedelta(minutes=5), 300)],
)
def test_an_age_may_be_written_short(written: str | timedelta, seconds: int) -> None:
    assert Requirement(1, written).seconds == seconds


@pytest.mark.parametrize(
    "written",
    ["", "5", "m", "0m", "-5m", "5 m", "5M", "1.5h", "\u0665m", "5m\n", "1h30m", 300, b"5m", 0.5],
)
def test_what_is_no_age_is_refused(written: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        Requirement(1, written)


@pytest.mark.parametrize("written", [timedelta(), timedelta(seconds=-1), timedelta(seconds=0.9)])
def test_an_age_that_nobody_meets_is_refused(written: timedelta) -> None:
    with pytest.raises(ConfigurationError, match="max_age"):
        Requirement(1, written)


@pytest.mark.parametrize("level", [0, -1, True, "2", 2.0, None])
def test_what_is_no_level_is_refused(level: Any) -> None:
    """A visitor has level 0: who asked for that would ask for nothing."""
    with pytest.raises(ConfigurationError, match="level"):
        Requirement(level)


@pytest.mark.parametrize(
    ("assurance", "age", "met"),
    [
        (2, 300_000, True),
        (2, 300_001, False),
        (1, 0, False),
        (3, -5, True),
        (2, None, False),
        (0, None, False),
    ],
)
def test_both_level_and_age_count(assurance: int, age: int | None, met: bool) -> None:
    assert Requirement(2, "5m").is_met(assurance, age) is met


def test_without_an_age_the_time_does_not_count() -> None:
    assert Requirement(2).is_met(2, None)
