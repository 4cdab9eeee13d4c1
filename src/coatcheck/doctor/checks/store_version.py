"""Whether the Redis is one that coatcheck is for."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.redis_facts import RedisFacts

NAME = "store-version"
_OLDEST = 7


def check(facts: RedisFacts, where: str) -> Iterator[Finding]:
    """Judge the server's version."""
    major = (facts.version or "").partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST:
        what = f"is Redis {facts.version}"
        yield Finding(Severity.ERROR, NAME, what, where, f"upgrade to {_OLDEST} or later")
