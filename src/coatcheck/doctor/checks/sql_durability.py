"""What an SQL database remembers when the power goes."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sql_facts import SQLFacts

NAME = "persistence"


def check(facts: SQLFacts, where: str) -> Iterator[Finding]:
    """Judge `fsync`, `synchronous_commit` and `innodb_flush_log_at_trx_commit`."""
    clause = "ASVS 5.0 V7.4.1"

    def found(severity: Severity, what: str, do: str) -> Finding:
        return Finding(severity, NAME, what, where, do, clause)

    lost = "when the machine dies, the last moments are lost, and logouts with them"
    if facts.product == "PostgreSQL":
        if facts.fsync is False:
            what = "fsync is off: when the machine dies, all of the database may be damaged"
            yield found(Severity.ERROR, what, "set fsync on")
        elif facts.commit == "off":
            yield found(Severity.INFO, lost, "set synchronous_commit on, if that is too much")
    elif facts.commit in ("0", "2"):
        # 0 loses them when the server alone dies, too.
        severity = Severity.WARNING if facts.commit == "0" else Severity.INFO
        yield found(severity, lost, "set innodb_flush_log_at_trx_commit 1")
