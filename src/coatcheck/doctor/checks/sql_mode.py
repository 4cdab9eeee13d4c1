"""Whether MySQL refuses what it cannot keep."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sql_facts import SQLFacts

NAME = "sql-mode"


def check(facts: SQLFacts, where: str) -> Iterator[Finding]:
    """Judge `sql_mode`."""
    if facts.mode is not None and "STRICT_" not in facts.mode:
        what = "sql_mode is not strict: values that are too long are cut, not refused"
        yield Finding(Severity.ERROR, NAME, what, where, "add STRICT_TRANS_TABLES to sql_mode")
