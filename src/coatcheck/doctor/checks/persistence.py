"""What a Redis remembers after a restart."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.redis_facts import RedisFacts

NAME = "persistence"


def check(facts: RedisFacts, where: str) -> Iterator[Finding]:
    """Judge the append-only file and the snapshots."""
    clause = "ASVS 5.0 V7.4.1"

    def found(severity: Severity, what: str, do: str) -> Finding:
        return Finding(severity, NAME, what, where, do, clause)

    if facts.is_led and facts.replicas == 0:
        what = "no replica follows it: when it dies, its sessions are unavailable until it is back"
        yield found(Severity.WARNING, what, "see why its replica is gone, or add one")
    on = "set appendonly yes, with appendfsync everysec or always"
    if facts.appends is None:
        what = "the user may not run INFO, so that persistence is not known"
        yield found(Severity.WARNING, what, "allow INFO, or check by hand")
    elif not facts.appends and facts.snapshots is False:
        yield found(Severity.WARNING, "nothing is kept: a restart logs everybody out", on)
    elif not facts.appends:
        what = "only snapshots are kept: a restart brings sessions back that were ended after one"
        yield found(Severity.WARNING, what, on)
    elif facts.fsync == "no":
        what = "the system decides when writes reach the disk: many seconds of logouts can be lost"
        yield found(Severity.WARNING, what, on)
    elif facts.fsync == "everysec":
        what = "when the machine dies, the last seconds are lost, and logouts with them"
        yield found(Severity.INFO, what, "set appendfsync always, if that is too much")
