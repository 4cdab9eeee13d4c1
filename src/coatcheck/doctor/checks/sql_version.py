"""Whether the SQL database is one that coatcheck is for."""

import re
from collections.abc import Iterator, Mapping

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sql_facts import SQLFacts

NAME = "store-version"
_OLDEST: Mapping[str, tuple[int, ...]] = {
    "PostgreSQL": (13, 0),
    "MariaDB": (10, 6),  # SKIP LOCKED
    "MySQL": (8, 0),
}


def check(facts: SQLFacts, where: str) -> Iterator[Finding]:
    """Judge the server's version."""
    if (known := re.match(r"(\d+)\.(\d+)", facts.release or "")) is None:
        return
    release, oldest = (int(known[1]), int(known[2])), _OLDEST[facts.product]
    if release < oldest:
        what = f"is {facts.product} {known[0]}"
        do = f"upgrade to {'.'.join(map(str, oldest))} or later"
        yield Finding(Severity.ERROR, NAME, what, where, do)
