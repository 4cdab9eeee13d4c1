"""The page shows what was measured, and no more."""

from typing import Any

from bench.report import report, table
from bench.rounds import Run
from bench.subjects import KINDS, SUBJECTS


def costs(*, refused: int = 0) -> dict[str, Any]:
    runs = [
        Run(subject.name, kind, 1_000, 500.0, 100.0 + place, 7_600, refused, None)
        for place, subject in enumerate(SUBJECTS)
        for kind in KINDS
    ]
    counted = {"redis_commands": 1.0, "redis_writes": 0.0, "set_cookies": 0.0}
    counts = {
        subject.name: {"cookie_bytes": 7} | {kind: counted for kind in KINDS if kind != "hot"}
        for subject in SUBJECTS
    }
    settings = {"rounds": 1, "seconds": 2, "connections": 32, "sessions": 256, "pinned": True}
    memory = {"sessions": 10, "keys": 20, "bytes": 1_500, "growth": 1_400}
    rounds = [[run._asdict() for run in runs]]
    return {"settings": settings, "rounds": rounds, "counts": counts, "memory": memory}


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
    page = report({"http": costs(), "versions": {}})
    assert "| no session | (100) | 1.00 | 7.6 |" in page
    assert "| Starlette, signed cookie | 1 | 1.00 | 7.6 |" in page


def test_refusals_have_a_column_where_there_are_any() -> None:
    assert "| refused |" not in report({"http": costs(), "versions": {}})
    assert "| refused |" in report({"http": costs(refused=3), "versions": {}})


def test_repetitions_are_shown_as_median_and_range() -> None:
    page = report({"survivors": survivors(150), "versions": {}})
    assert "| coatcheck, Redis | 2 | 200 (150-200) | 200 |" in page
    assert "Targets" not in page
