"""How long a look-up takes."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.store_facts import StoreFacts

NAME = "latency"
SLOW = 0.02
"""Seconds: from here on each request notices."""


def check(facts: StoreFacts, where: str) -> Iterator[Finding]:
    """Tell the median and the 99th percentile; warn where they are long."""
    taken = facts.latencies
    median, worst = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
    is_slow = median > SLOW / 4 or worst > SLOW
    yield Finding(
        Severity.WARNING if is_slow else Severity.INFO,
        NAME,
        f"a look-up takes {1000 * median:.2f} ms, one in a hundred {1000 * worst:.2f} ms or more",
        where,
        "bring the store nearer, or look at its load" if is_slow else "nothing",
    )
