"""Ceilings for settings, and what is said about those that go beyond them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from coatcheck.errors import ConfigurationError

Owner = Literal["Policy", "Cookie"]
"""Whose setting it is."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far one setting may go.

    Attributes:
        setting: the name of the attribute.
        ceiling: in words.
        source: the clause that asks for it.
        permits: tells whether a value is within it.
        value: what is within it, to set where nothing is asked for.
    """

    setting: str
    ceiling: str
    source: str
    permits: Callable[[Any], bool]
    value: Any
    of: Owner = "Policy"

    @classmethod
    def at_most(cls, setting: str, most: Any, source: str) -> "Limit":
        """Return the limit of a number or a time; `None`, without end, is beyond it."""
        return cls(
            setting,
            f"at most {shown(most)}",
            source,
            lambda value: value is not None and value <= most,
            most,
        )

    @classmethod
    def exactly(cls, setting: str, value: Any, source: str, of: Owner = "Policy") -> "Limit":
        """Return the limit of a setting that has one good value."""
        return cls(setting, shown(value), source, lambda given: given == value, value, of)


@dataclass(frozen=True, slots=True)
class Profile:
    """Ceilings for an application of one kind, and the reasons to go beyond some of them.

    Attributes:
        reasons: by setting, why it may exceed its ceiling.

    Raises:
        ConfigurationError: a reason is empty, or for what has no ceiling.
    """

    name: str
    limits: tuple[Limit, ...]
    reasons: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        known = {limit.setting for limit in self.limits}
        for setting, reason in self.reasons:
            if setting not in known:
                raise ConfigurationError(
                    "because", f"profile {self.name} has no ceiling for {setting!r}"
                )
            if not str(reason).strip():
                raise ConfigurationError("because", f"{setting!r} needs a reason in words")

    def of(self, owner: Owner) -> Iterator[Limit]:
        """Yield the limits of a policy's settings, or of a cookie's."""
        return (limit for limit in self.limits if limit.of == owner)

    def reason(self, setting: str) -> str | None:
        """Return why a setting may exceed its ceiling, if it may."""
        return dict(self.reasons).get(setting)

    def permits(self, owner: Owner, setting: str, value: object) -> bool:
        """Tell whether a setting may have a value, for a reason or as it is within its ceiling."""
        return all(
            limit.permits(value) or self.reason(setting) is not None
            for limit in self.of(owner)
            if limit.setting == setting
        )

    def check(self, owner: Owner, settings: object) -> list[str]:
        """Return a warning for each setting that exceeds its ceiling for a reason.

        Raises:
            ConfigurationError: one does without.
        """
        warnings: list[str] = []
        for limit in self.of(owner):
            value = getattr(settings, limit.setting)
            if limit.permits(value):
                continue
            told = (
                f"is {shown(value)}, and profile {self.name} asks for {limit.ceiling} "
                f"({limit.source})"
            )
            reason = self.reason(limit.setting)
            if reason is None:
                name = f"Policy.{limit.setting}" if owner == "Policy" else limit.setting
                raise ConfigurationError(
                    name, f"{told}; to keep it, say why: because={{{limit.setting!r}: ...}}"
                )
            warnings.append(f"{limit.setting} {told}; the reason given: {reason}")
        return warnings


_UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


def shown(value: object) -> str:
    """Return a setting's value as text; a time in the largest unit that leaves nothing over."""
    if isinstance(value, timedelta):
        for unit, length in _UNITS:
            if value and value % length == timedelta(0):
                return f"{value // length} {unit}"
    return getattr(value, "__name__", str(value))
