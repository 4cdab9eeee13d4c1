"""How large the stored sessions are."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.store_facts import StoreFacts

NAME = "session-sizes"


def check(facts: StoreFacts, where: str, limit: int) -> Iterator[Finding]:
    """Warn of sessions from half of the limit on."""
    near = [size for size in facts.sizes if size >= limit / 2]
    if near:
        yield Finding(
            Severity.WARNING,
            NAME,
            f"{len(near)} of {len(facts.sizes)} sessions are over half of Policy.max_size "
            f"({limit} bytes); the largest has {max(near)}",
            where,
            "keep ids in the session and objects in the database",
            "ASVS 5.0 V15.2.2",
        )
