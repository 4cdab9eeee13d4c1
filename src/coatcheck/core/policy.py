"""How long sessions live and how large they may be."""

from dataclasses import dataclass
from datetime import timedelta

from coatcheck.core.record import Record
from coatcheck.errors import ConfigurationError

GRACE = 60_000
"""Milliseconds, longer than any message lives and nearly any request runs.

Stores keep expired records for it.
"""
BAR_KEPT = 86_400_000
"""Milliseconds a bar is kept: longer than any request that was opened before it runs."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits of a session, enforced by the server (ASVS 5.0 V7.3.1, V7.3.2; NIST SP 800-63B-4 5.2).

    Attributes:
        idle: time without activity after which a session is over.
        absolute: time after sign-in (or creation) after which it is over in any case.
        touch_share: share of `idle` that activity may go unrecorded, to save writes: activity is
            honoured for at least `idle` minus this share, never longer than `idle`.
        max_size: bytes of encoded data; a warning is logged from half of it on.
        factor_timeout: time to give the second factor after the password.
        factor_attempts: how often it may be tried in that time.

    Raises:
        ConfigurationError: a limit is not positive, or idle is longer than absolute.
    """

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    touch_share: float = 0.05
    max_size: int = 65_536
    factor_timeout: timedelta = timedelta(minutes=5)
    factor_attempts: int = 5

    def __post_init__(self) -> None:
        for name in ("idle", "absolute", "factor_timeout"):
            value = getattr(self, name)
            if not isinstance(value, timedelta) or value < timedelta(seconds=1):
                raise ConfigurationError(
                    f"Policy.{name}", f"{value!r} is not a time of 1 s or more"
                )
        if self.idle > self.absolute:
            raise ConfigurationError("Policy.idle", "is longer than Policy.absolute")
        if not _is_number(self.touch_share) or not 0 <= self.touch_share <= 0.5:
            raise ConfigurationError("Policy.touch_share", f"{self.touch_share!r} is not 0 to 0.5")
        if type(self.max_size) is not int or self.max_size < 256:
            raise ConfigurationError("Policy.max_size", f"{self.max_size!r} is no size from 256 on")

        if type(self.factor_attempts) is not int or self.factor_attempts < 1:
            raise ConfigurationError(
                "Policy.factor_attempts", f"{self.factor_attempts!r} is no number from 1 on"
            )

    @property
    def idle_ms(self) -> int:
        """The idle time in milliseconds."""
        return self.idle // timedelta(milliseconds=1)

    def ends_at(self, now: int) -> int:
        """Return the absolute end of a session that is granted `now`."""
        return now + self.absolute // timedelta(milliseconds=1)

    def touch_due(self, record: Record, now: int) -> bool:
        """Tell whether activity has gone unrecorded for long enough to be worth a write."""
        unrecorded = now - record.seen_at
        return unrecorded >= 1_000 and unrecorded >= self._share(record)

    def is_near_end(self, record: Record, now: int) -> bool:
        """Tell whether idleness may end the session before later activity is recorded (T2)."""
        return record.seen_at + record.idle - now < self._share(record) + GRACE

    def _share(self, record: Record) -> int:
        return max(1_000, int(record.idle * self.touch_share))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
