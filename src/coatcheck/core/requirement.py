"""How well, and how recently, the user must have been authenticated for something."""

import re
from dataclasses import dataclass
from datetime import timedelta

from coatcheck.errors import ConfigurationError

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGE = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a route asks of who wants it (ASVS 5.0 V7.5.1, V7.5.3; RFC 9470 3).

    Attributes:
        level: the least assurance, as given to `Session.sign_in` and `Session.step_up`.
        max_age: how long ago the user may have proved who they are; a `timedelta`, or text such as
            `"90s"`, `"5m"`, `"1h"`. `None`: whenever.

    Raises:
        ConfigurationError: one of them is none.
    """

    level: int = 1
    max_age: timedelta | str | None = None

    def __post_init__(self) -> None:
        if type(self.level) is not int or self.level < 1:
            raise ConfigurationError("level", f"{self.level!r} is no level from 1 on")
        if self.seconds is not None and self.seconds < 1:
            raise ConfigurationError("max_age", f"{self.max_age!r} is no time of 1 s or more")

    @property
    def seconds(self) -> int | None:
        """`max_age` in whole seconds, as the challenge has it."""
        age = self.max_age
        if age is None:
            return None
        if isinstance(age, timedelta):
            return age // timedelta(seconds=1)
        found = _AGE.fullmatch(str(age))
        if found is None:
            raise ConfigurationError("max_age", f'{age!r} is no time such as "90s", "5m" or "1h"')
        return int(found[1]) * _UNITS[found[2]]

    def is_met(self, assurance: int, age: int | None) -> bool:
        """Tell whether an authentication is good enough.

        Args:
            age: how long ago it was, milliseconds; `None`: nobody knows, which is too long.
        """
        if assurance < self.level:
            return False
        return self.seconds is None or (age is not None and age <= self.seconds * 1_000)
