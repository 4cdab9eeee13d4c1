"""Whether the tables are those of this coatcheck."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sql_facts import SQLFacts

NAME = "sql-tables"


def check(facts: SQLFacts, where: str) -> Iterator[Finding]:
    """Judge the tables' version."""
    found, known = facts.tables_version, facts.known_version
    if found is None:
        what, do = "the version of the tables is not known", "grant the user SELECT on that table"
        yield Finding(Severity.INFO, NAME, what, where, do)
    elif found != known:
        what = f"the tables are of version {found}, this coatcheck is for {known}"
        do = "run `coatcheck tables`" if found < known else "update coatcheck"
        yield Finding(Severity.ERROR, NAME, what, where, do)
