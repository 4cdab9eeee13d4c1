"""Who listens on the way to an SQL database, and what its user may do."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.local import is_local
from coatcheck.doctor.sql_facts import SQLFacts

NAME = "store-access"


def check(facts: SQLFacts, where: str) -> Iterator[Finding]:
    """Judge TLS and the user's rights."""
    is_near = facts.host is None or is_local(facts.host)
    if not facts.is_encrypted and not is_near:
        query = "sslmode=verify-full" if facts.product == "PostgreSQL" else "ssl_ca=FILE"
        yield Finding(
            Severity.ERROR,
            NAME,
            "sessions travel unencrypted",
            where,
            f"add {query} to the URL",
            "ASVS 5.0 V12.3.1",
        )
    if facts.is_superuser:
        yield Finding(
            Severity.WARNING,
            NAME,
            "the application connects as a user who may do everything on the server",
            where,
            "give it a user of its own, who may read and change its tables",
            "ASVS 5.0 V13.2.2",
        )
    elif facts.is_owner:
        yield Finding(
            Severity.INFO,
            NAME,
            "the application's user may also drop the tables",
            where,
            "let another user make them, and grant this one SELECT, INSERT, UPDATE and DELETE",
            "ASVS 5.0 V13.2.2",
        )
