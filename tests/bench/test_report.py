"""The page shows what was measured, and no more."""

from typing import Any

import pytest

from bench.report import report, table
from bench.rounds import Run
from bench.subjects import FLASK, STARLETTE, Group


def costs(group: Group = STARLETTE, *, refused: int = 0) -> dict[str, Any]:
    runs = [
        Run(subject.name, kind, 1_000, 500.0, 100.0 + place, 7_600, refused, None)
        for place, subject in enumerate(group.subjects)
        for kind in group.kinds
    ]
    counted = {"redis_commands": 1.0, "redis_writes": 0.0, "set_cookies": 0.0}
    counts = {
        subject.name: {"cookie_bytes": 7} | {kind: counted for kind in group.kinds if kind != "hot"}
        for subject in group.subjects
    }
    settings = {"rounds": 1, "seconds": 2, "connections": 32, "sessions": 256, "pinned": True}
    rounds = [[run._asdict() for run in runs]]
    return {"settings": settings, "rounds": rounds, "counts": counts}


def survivors(kept: int) -> list[dict[str, Any]]:
    repetitions = [
        {"kept": 200, "lost": 0, "refused": 0},
        {"kept": kept, "lost": 200 - kept, "refused": 0},
        {"kept": 200, "lost": 0, "refused": 0},
    ]
    return [
        {
            "subject": "coatcheck-redis",
            "title": "coatcheck, Redis",
            "processes": 2,
            "requests": 200,
            "cart": repetitions,
            "count": repetitions[:1],
        }
    ]


def test_a_table_has_its_figures_on_the_right() -> None:
    assert table(["", "µs"], [["ours", "1"]]) == "|  | µs |\n| --- | ---: |\n| ours | 1 |\n"


def test_what_a_session_adds_is_shown_against_no_session() -> None:
    page = report({"starlette": costs(), "versions": {}})
    assert "| no session | (100) | 1.00 | 7.6 |" in page
    assert "| Starlette, signed cookie | 1 | 1.00 | 7.6 |" in page


def test_each_framework_has_its_own_part_and_its_own_kinds_of_requests() -> None:
    page = report({"starlette": costs(), "flask": costs(FLASK), "versions": {}})
    parts = [line for line in page.splitlines() if line.startswith("#")]
    start = parts.index("## Flask")
    assert "### No cookie, look at the session" in parts[:start]
    assert parts[start:] == ["## Flask", "### Read one value", "### Change one value", "## Targets"]
    assert "one granian process of 4 threads" in page


def test_what_a_session_takes_is_a_part_of_its_own() -> None:
    memory = {"sessions": 10, "keys": 20, "bytes": 1_500, "growth": 1_400}
    page = report({"memory": memory, "versions": {}})
    assert "1,500 bytes a session" in page
    assert "| Redis bytes of a session with its index entry | 1650 | 1500 | reached |" in page


def test_refusals_have_a_column_where_there_are_any() -> None:
    assert "| refused |" not in report({"starlette": costs(), "versions": {}})
    assert "| refused |" in report({"starlette": costs(refused=3), "versions": {}})


def test_threads_are_shown_where_there_are_any() -> None:
    kept = [{**survivors(200)[0], "threads": 8}]
    assert "| 2 of 8 threads | 200 |" in report({"survivors": kept, "versions": {}})


def test_repetitions_are_shown_as_median_and_range() -> None:
    page = report({"survivors": survivors(150), "versions": {}})
    assert "| coatcheck, Redis | 2 | 200 (150-200) | 200 |" in page
    assert "Targets" not in page


def test_results_that_are_older_than_a_subject_are_to_be_measured_again() -> None:
    old = costs(FLASK)
    del old["counts"][FLASK.ours[0].name]
    with pytest.raises(LookupError, match=rf"{FLASK.ours[0].title}: .*`make bench ARGS=flask`"):
        report({"flask": old, "versions": {}})
