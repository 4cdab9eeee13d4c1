"""How long sessions live and how large they may be."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from coatcheck.core.binding import OBSERVING, Bound, actions
from coatcheck.core.limits import Profile
from coatcheck.core.rates import Rate
from coatcheck.core.record import Record
from coatcheck.core.secrets import Secrets
from coatcheck.errors import ConfigurationError

GRACE = 60_000
"""Milliseconds, longer than any message lives and nearly any request runs.

Stores keep expired records for it.
"""
BAR_KEPT = 86_400_000
"""Milliseconds a bar is kept: longer than any request that was opened before it runs."""
_SHORTEST, _LONGEST = timedelta(milliseconds=10), timedelta(minutes=1)
GUESSES = Rate(200)
"""More than the browsers behind one address forget to throw away, and a nuisance to guess by."""


class AtLimit(StrEnum):
    """What a sign-in over `Policy.max_sessions` does."""

    END_OLDEST = "end_oldest"
    """It ends the sessions of the user that were signed in longest ago."""
    REFUSE = "refuse"
    """It is refused by `SessionLimitReached`, and the others go on."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits of a session, enforced by the server (ASVS 5.0 V7.3.1, V7.3.2; NIST SP 800-63B-4 5.2).

    Attributes:
        idle: time without activity after which a session is over.
        absolute: time after sign-in (or creation) after which it is over in any case.
        touch_share: share of `idle` that activity may go unrecorded, to save writes: activity is
            honoured for at least `idle` minus this share, never longer than `idle`.
        max_size: bytes of encoded data; a warning is logged from half of it on.
        renew_after: activity for so long gives the client a new token of the same session; `None`:
            never (OWASP Session Management, "Renewal Timeout").
        on_replay: what is done when a token comes that was renewed and is not honoured any more, so
            that two hold it: `end` the session, or only `report` it. It opens nothing either way.
        binding: what is done when a session's client is not the one its user was proved on. A
            `Binding`, or any function of a `Drift` that returns an `Action`.
        profile: the ceilings it keeps to; see `profile`.
        secrets: what becomes of a session in which a password, token, private key or card number
            is about to be stored; by default it is reported, in development only.
        secrets_allowed: top-level keys where that is meant to be.
        max_sessions: how many live sessions a user may have at once (ASVS 5.0 V7.1.2); by default
            as many as there are. Visitors' do not count.
        at_limit: what a sign-in over it does.
        factor_timeout: time to give the second factor after the password.
        factor_attempts: how often it may be tried in that time.
        watch_every: how long after a session ended elsewhere its WebSockets and streams are closed
            at the latest, apart from the time that one look at the store takes: 10 ms to 1 min.
        max_keys: top-level keys of the data.
        max_messages: messages that `flash` keeps until they are shown, in Flask and Quart.
        visitor_rate: how many sessions of visitors one client may begin; one more is refused by
            `TooManySessions`. A client is an IPv4 address, or a /64 of IPv6. `None`: any number.
        sign_in_rate: how many sessions one client may begin by signing in; likewise.
        guess_rate: how many tokens that open nothing one client may present to one process until
            that is reported as `id_guessing`, once in each `per`. The same one counts once.
        on_guessing: whether it is only reported then, or such a client's tokens that open nothing
            are answered with 429 (`TooManyBadTokens`) until the `per` is over.

    Raises:
        ConfigurationError: a limit is not positive, idle is longer than absolute, or a setting is
            beyond its profile's ceiling.
    """

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)
    touch_share: float = 0.05
    max_size: int = 65_536
    renew_after: timedelta | None = timedelta(minutes=15)
    on_replay: Literal["end", "report"] = "end"
    binding: Bound = OBSERVING
    profile: Profile | None = None
    secrets: Secrets | None = None
    secrets_allowed: Collection[str] = ()
    max_sessions: int | None = None
    at_limit: AtLimit = AtLimit.END_OLDEST
    factor_timeout: timedelta = timedelta(minutes=5)
    factor_attempts: int = 5
    watch_every: timedelta = timedelta(seconds=5)
    max_keys: int = 1_000
    max_messages: int = 100
    visitor_rate: Rate | None = None
    sign_in_rate: Rate | None = None
    guess_rate: Rate | None = GUESSES
    on_guessing: Literal["report", "refuse"] = "report"
    renew_ms: int | None = field(init=False, repr=False, compare=False)
    """`renew_after` in milliseconds."""

    def __post_init__(self) -> None:
        for name in ("idle", "absolute", "factor_timeout"):
            value = getattr(self, name)
            if not _is_time(value):
                raise ConfigurationError(
                    f"Policy.{name}", f"{value!r} is not a time of 1 s or more"
                )
        if self.idle > self.absolute:
            raise ConfigurationError("Policy.idle", "is longer than Policy.absolute")
        if not _is_number(self.touch_share) or not 0 <= self.touch_share <= 0.5:
            raise ConfigurationError("Policy.touch_share", f"{self.touch_share!r} is not 0 to 0.5")
        if type(self.max_size) is not int or self.max_size < 256:
            raise ConfigurationError("Policy.max_size", f"{self.max_size!r} is no size from 256 on")
        if self.max_sessions is not None and not _is_positive(self.max_sessions):
            raise ConfigurationError(
                "Policy.max_sessions", f"{self.max_sessions!r} is no number from 1 on, nor None"
            )
        if not isinstance(self.at_limit, AtLimit):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("Policy.at_limit", f"{self.at_limit!r} is no AtLimit")
        if self.renew_after is not None and not _is_time(self.renew_after):
            raise ConfigurationError(
                "Policy.renew_after", f"{self.renew_after!r} is neither None nor a time of 1 s on"
            )
        for name in ("max_keys", "max_messages"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigurationError(f"Policy.{name}", f"{value!r} is no number from 1 on")
        for name in ("visitor_rate", "sign_in_rate", "guess_rate"):
            value = getattr(self, name)
            if not isinstance(value, Rate | None):
                raise ConfigurationError(f"Policy.{name}", f"{value!r} is neither None nor a Rate")
        if self.on_guessing not in ("report", "refuse"):
            raise ConfigurationError(
                "Policy.on_guessing", f"{self.on_guessing!r} is not report or refuse"
            )
        if self.on_replay not in ("end", "report"):
            raise ConfigurationError("Policy.on_replay", f"{self.on_replay!r} is not end or report")
        renew_ms = self.renew_after and self.renew_after // timedelta(milliseconds=1)
        object.__setattr__(self, "renew_ms", renew_ms)
        if not callable(self.binding):
            raise ConfigurationError("Policy.binding", f"{self.binding!r} is no function")
        actions(self.binding)
        if not isinstance(self.secrets, Secrets | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("Policy.secrets", f"{self.secrets!r} is no Secrets")
        if isinstance(self.secrets_allowed, str):
            raise ConfigurationError("Policy.secrets_allowed", "is a text: write a set of keys")
        object.__setattr__(self, "secrets_allowed", frozenset(self.secrets_allowed))
        if not _is_bound(self.watch_every):
            raise ConfigurationError(
                "Policy.watch_every", f"{self.watch_every!r} is no time of 10 ms to 1 min"
            )
        if self.profile is not None:
            self.profile.check("Policy", self)

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

    def touch_at(self, record: Record) -> int:
        """Return from when on activity has gone unrecorded for so long that it is worth a write."""
        return record.seen_at + self._share(record)

    def is_near_end(self, record: Record, now: int) -> bool:
        """Tell whether idleness may end the session before later activity is recorded (T2)."""
        return record.seen_at + record.idle - now < self._share(record) + GRACE

    def _share(self, record: Record) -> int:
        share = int(record.idle * self.touch_share)
        return share if share > 1_000 else 1_000


def _is_time(value: object) -> bool:
    return isinstance(value, timedelta) and value >= timedelta(seconds=1)


def _is_positive(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_bound(value: object) -> bool:
    return isinstance(value, timedelta) and _SHORTEST <= value <= _LONGEST


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
