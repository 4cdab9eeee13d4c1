"""Whether this machine's clock and the store's agree."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.store_facts import StoreFacts

NAME = "clock"
_MOST = 1_000


def check(facts: StoreFacts, where: str) -> Iterator[Finding]:
    """Warn above a second, as far as the way there and back lets one know."""
    if abs(facts.skew) - facts.doubt > _MOST:
        direction = "ahead of" if facts.skew > 0 else "behind"
        yield Finding(
            Severity.WARNING,
            NAME,
            f"its clock is {abs(facts.skew) / 1000:.1f} s {direction} this machine's",
            where,
            "let both follow a time server: logs and audit trails do not match",
            "ASVS 5.0 V16.2.2",
        )
