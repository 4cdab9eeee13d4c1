"""How often something may happen in a time, and as whose it counts."""

import threading
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv6Address, ip_network
from typing import NamedTuple

from coatcheck.core.address import parse
from coatcheck.core.limits import shown
from coatcheck.errors import ConfigurationError

ROOM = 10_000
_LINE = 64
"""Bits of an IPv6 address that tell clients apart: a line has the others to choose from."""


class Window(NamedTuple):
    """One of the times into which a rate cuts time, all of one length.

    Attributes:
        number: counts them since 1970.
        ends_at: milliseconds UTC.
    """

    number: int
    ends_at: int

    def retry_after(self, now: int) -> int:
        """Return whole seconds until its end, 1 or more (RFC 9110 10.2.3)."""
        return max(1, -(-(self.ends_at - now) // 1_000))


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in each `per`.

    The windows are those of the clock, the same for all processes, so that one counter is all there
    is to keep. Where two of them meet, twice `count` may come in a row.

    Raises:
        ConfigurationError: `count` is below 1, or `per` not from 1 second to 1 day.
    """

    count: int
    per: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise ConfigurationError("Rate.count", f"{self.count!r} is no number from 1 on")
        is_time = isinstance(self.per, timedelta)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not is_time or not timedelta(seconds=1) <= self.per <= timedelta(days=1):
            raise ConfigurationError("Rate.per", f"{self.per!r} is no time of 1 s to 1 day")

    def window(self, now: int) -> Window:
        """Return the window that `now` is in."""
        length = self.per // timedelta(milliseconds=1)
        number = now // length
        return Window(number, (number + 1) * length)

    def __str__(self) -> str:
        return f"{self.count} in {shown(self.per)}"


@lru_cache(maxsize=4096)
def counted_as(address: str | None) -> str | None:
    """Return what an address counts as: IPv4 whole, IPv6 by its /64; another name as itself.

    However it is spelled, one of IPv4 that is dressed as IPv6 included (CVE-2026-45364).
    """
    parsed = parse(address)
    if isinstance(parsed, IPv6Address):
        return str(parsed.sixtofour or ip_network((parsed, _LINE), strict=False))
    return str(parsed) if parsed else address or None


class Counts:
    """Counters of this process, by key, each for one window: within bounded memory.

    Where there is no room, the one is forgotten that was counted longest ago.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._counts: dict[str, tuple[int, int]] = {}
        self._room = room
        self._turn = threading.Lock()

    def add(self, key: str, window: int, more: int = 1) -> int:
        """Count so many more, and return how many it were in this window."""
        with self._turn:
            counted_in, count = self._counts.pop(key, (window, 0))
            count = count + more if counted_in == window else more
            if len(self._counts) >= self._room:
                del self._counts[next(iter(self._counts))]
            self._counts[key] = window, count
            return count

    def __len__(self) -> int:
        return len(self._counts)
