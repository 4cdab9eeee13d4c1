"""Whether anybody deletes what expired."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sql_facts import MANY, SQLFacts

NAME = "sweeping"


def check(facts: SQLFacts, where: str) -> Iterator[Finding]:
    """Judge how many rows outlived their time."""
    if facts.late:
        count = f"{facts.late} or more" if facts.late == MANY else str(facts.late)
        yield Finding(
            Severity.WARNING if facts.late == MANY else Severity.INFO,
            NAME,
            f"rows that should have been swept ten minutes ago: {count}",
            where,
            "see that the application runs and may DELETE; `await sessions.sweep()` sweeps all",
            "ASVS 5.0 V14.2.4",
        )
