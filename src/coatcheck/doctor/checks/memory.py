"""What a store in memory is not for."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity

NAME = "memory-store"


def check() -> Iterator[Finding]:
    """Say what becomes of sessions in memory."""
    yield Finding(
        Severity.WARNING,
        NAME,
        "sessions are in one process's memory: a restart ends them, other processes miss them",
        "store memory:",
        "use sqlite:/// for one machine, redis:// for several",
    )
