"""A cookie as a server sent it, by the rules of RFC 6265 5.2."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class SentCookie:
    """One `Set-Cookie`; its value is shown nowhere.

    Attributes:
        attributes: by their names in lower case.
        seconds: how long a browser keeps it, `None` until it is closed.
    """

    name: str
    value: str = field(repr=False)
    attributes: Mapping[str, str]
    seconds: int | None

    @classmethod
    def parse(cls, header: str, now: datetime) -> "SentCookie":
        """Read the value of a `Set-Cookie`."""
        pair, *rest = header.split(";")
        name, _, value = pair.partition("=")
        attributes = {
            key.strip().lower(): text.strip() for key, _, text in (r.partition("=") for r in rest)
        }
        return cls(name.strip(), value.strip().strip('"'), attributes, _seconds(attributes, now))

    @property
    def is_deletion(self) -> bool:
        """Whether it takes the cookie away."""
        return not self.value or (self.seconds is not None and self.seconds <= 0)


def _seconds(attributes: Mapping[str, str], now: datetime) -> int | None:
    age = attributes.get("max-age", "")
    if age.removeprefix("-").isdecimal():
        return int(age)
    try:
        expires = parsedate_to_datetime(attributes.get("expires", ""))
    except ValueError:
        return None
    expires = expires if expires.tzinfo else expires.replace(tzinfo=UTC)
    return round((expires - now).total_seconds())
