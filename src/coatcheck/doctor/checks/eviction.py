"""Whether a full Redis throws sessions away, and the marks that ended ones leave."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.redis_facts import RedisFacts

NAME = "eviction"
_FULL = 0.8


def check(facts: RedisFacts, where: str) -> Iterator[Finding]:
    """Judge `maxmemory-policy` and `maxmemory`."""
    clause = "ASVS 5.0 V7.4.1, V15.2.2"
    if facts.eviction is None or facts.max_memory is None:
        what = "the user may not run INFO, so that eviction is not known"
        yield Finding(Severity.WARNING, NAME, what, where, "allow INFO, or check by hand", clause)
        return
    if facts.eviction != "noeviction":
        yield Finding(
            Severity.ERROR,
            NAME,
            f"maxmemory-policy is {facts.eviction}: when it is full, people are logged out, and "
            "logouts forgotten",
            where,
            "set maxmemory-policy noeviction, in a Redis of its own",
            clause,
        )
    if facts.evicted:
        yield Finding(
            Severity.ERROR,
            NAME,
            f"threw {facts.evicted} keys away since it was started, as memory was full",
            where,
            "set maxmemory-policy noeviction, and raise maxmemory",
            clause,
        )
    if facts.max_memory == 0:
        what = "maxmemory is not set: when memory is full, the system may kill it"
        yield Finding(Severity.WARNING, NAME, what, where, "set maxmemory", clause)
    elif facts.used_memory is not None and facts.used_memory > _FULL * facts.max_memory:
        share = 100 * facts.used_memory // facts.max_memory
        do = "raise maxmemory, or look at what grows"
        yield Finding(Severity.WARNING, NAME, f"memory is {share} % used", where, do, clause)
