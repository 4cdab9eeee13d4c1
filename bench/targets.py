"""What coatcheck's figures are meant to be, and whether they are."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.rounds import Figures
from bench.subjects import COATCHECK, SIGNED, STARSESSIONS, Kind, Subject

SLACK = 0.01
"""Commands a request that a count may be over: the clock is compared once a minute."""


class Target(NamedTuple):
    """One target.

    Attributes:
        limit: the most that `value` may be.
    """

    text: str
    limit: float
    value: float

    @property
    def is_reached(self) -> bool:
        return self.value <= self.limit


_SQLITE, _REDIS, _ = COATCHECK
_RATIOS: tuple[tuple[Kind, Subject, Subject, float], ...] = (
    ("read", _REDIS, STARSESSIONS, 0.2),
    ("read", _REDIS, SIGNED, 0.8),
    ("read", _SQLITE, SIGNED, 0.8),
    ("write", _REDIS, STARSESSIONS, 0.35),
    ("write", _REDIS, SIGNED, 0.8),
    ("write", _SQLITE, SIGNED, 0.7),
)
_COMMANDS = (("read", 1), ("write", 2), ("anonymous", 0))
_BYTES = 1_650


def targets(
    figures: Mapping[tuple[str, str], Figures],
    counts: Mapping[str, Mapping[str, Any]],
    memory: Mapping[str, int],
) -> Sequence[Target]:
    """Compare medians of one and the same measurement."""
    found = [
        Target(
            f"{ours.title}: CPU added to a {kind}, divided by that of {theirs.title}",
            limit,
            figures[ours.name, kind].added / figures[theirs.name, kind].added,
        )
        for kind, ours, theirs, limit in _RATIOS
    ]
    for subject in COATCHECK:
        hot, spread = figures[subject.name, "hot"], figures[subject.name, "write"]
        bad = sum(each.refused + (each.lost or 0) for each in (hot, spread))
        found += [
            Target(
                f"{subject.title}: CPU added to a write to one session, divided by spread ones'",
                2,
                hot.added / spread.added,
            ),
            Target(f"{subject.title}: writes lost or refused", 0, bad),
        ]
    redis = counts[_REDIS.name]
    found += [
        Target(f"Redis commands of a request: {kind}", limit + SLACK, redis[kind]["redis_commands"])
        for kind, limit in _COMMANDS
    ]
    found += [
        Target("Redis writes of a read between two touches", 0, redis["read"]["redis_writes"]),
        Target("Redis bytes of a session with its index entry", _BYTES, memory["bytes"]),
    ]
    return found
