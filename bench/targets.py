"""What coatcheck's figures are meant to be, and whether they are."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.hostile import SIZES
from bench.rounds import Figures
from bench.subjects import (
    COATCHECK,
    DEFENCES,
    DEFENDED,
    DJANGO_COATCHECK,
    DJANGO_REDIS,
    DJANGO_TUNED,
    FLASK_COATCHECK,
    FLASK_SESSION,
    FLASK_SIGNED,
    SIGNED,
    STARSESSIONS,
    Group,
    Kind,
    Subject,
)

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
_FLASK_SQLITE, _FLASK_REDIS = FLASK_COATCHECK
_DJANGO_SQLITE, _DJANGO_REDIS = DJANGO_COATCHECK
_RATIOS: tuple[tuple[Kind, Subject, Subject, float], ...] = (
    ("read", _REDIS, STARSESSIONS, 0.2),
    ("read", _REDIS, SIGNED, 0.8),
    ("read", _SQLITE, SIGNED, 0.8),
    ("write", _REDIS, STARSESSIONS, 0.35),
    ("write", _REDIS, SIGNED, 0.8),
    ("write", _SQLITE, SIGNED, 0.7),
    ("read", _FLASK_REDIS, FLASK_SESSION, 0.4),
    ("read", _FLASK_REDIS, FLASK_SIGNED, 0.8),
    ("read", _FLASK_SQLITE, FLASK_SIGNED, 0.4),
    ("read", _DJANGO_REDIS, DJANGO_REDIS, 0.55),
    ("write", _DJANGO_REDIS, DJANGO_REDIS, 0.5),
    ("read", _DJANGO_SQLITE, DJANGO_TUNED, 0.15),
    ("write", _DJANGO_SQLITE, DJANGO_TUNED, 0.1),
)
_COMMANDS: Mapping[Kind, int] = {"read": 1, "write": 2, "anonymous": 0}
_BYTES = 1_650


def targets(
    group: Group,
    figures: Mapping[tuple[str, str], Figures],
    counts: Mapping[str, Mapping[str, Any]],
) -> Sequence[Target]:
    """Compare medians of one and the same measurement."""
    found = [
        Target(
            f"{ours.title}: CPU added to a {kind}, divided by that of {theirs.title}",
            limit,
            figures[ours.name, kind].added / figures[theirs.name, kind].added,
        )
        for kind, ours, theirs, limit in _RATIOS
        if ours in group.ours
    ]
    if group is DEFENCES:
        text = "CPU added to a read by all defences, µs"
        found.append(Target(text, 35, figures[DEFENDED.name, "read"].added))
    for subject in group.ours:
        changing = [figures[subject.name, kind] for kind in ("write", "hot") if kind in group.kinds]
        if "hot" in group.kinds:
            spread, hot = changing
            text = f"{subject.title}: CPU added to a write to one session, divided by spread ones'"
            found.append(Target(text, 2, hot.added / spread.added))
        bad = sum(each.refused + (each.lost or 0) for each in changing)
        found.append(Target(f"{subject.title}: writes lost or refused", 0, bad))
    for subject in group.ours:
        if subject.store == "redis":
            found += _commands(group, subject, counts[subject.name])
    return found


def _commands(group: Group, subject: Subject, counted: Mapping[str, Any]) -> Sequence[Target]:
    found = [
        Target(
            f"{subject.title}: Redis commands of a request: {kind}",
            _COMMANDS[kind] + SLACK,
            counted[kind]["redis_commands"],
        )
        for kind in group.kinds
        if kind in _COMMANDS
    ]
    text = f"{subject.title}: Redis writes of a read between two touches"
    return [*found, Target(text, 0, counted["read"]["redis_writes"])]


def hostile_targets(hostile: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Sequence[Target]:
    """Compare what headers of two lengths cost, the longer one four times the other."""
    found: list[Target] = []
    for name, sizes in hostile.items():
        short, long = (sizes[str(size)] for size in SIZES[-2:])
        times = Target(
            f"Cookie header of {name}: time of 1 MB by that of 256 KB", 6, long["ns"] / short["ns"]
        )
        memory = Target(f"Cookie header of {name}: KB of memory for 1 MB", 64, long["bytes"] / 1024)
        found += [times, memory]
    return found


def memory_targets(memory: Mapping[str, int]) -> Sequence[Target]:
    """Compare what a session takes in Redis."""
    return [Target("Redis bytes of a session with its index entry", _BYTES, memory["bytes"])]
