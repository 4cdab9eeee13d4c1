"""What an application answered, and how it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from coatcheck.doctor.sent_cookie import SentCookie

MAX_BODY = 1_048_576
"""Bytes of a body that are looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; its body and its cookies' values are shown nowhere.

    Attributes:
        request: method and path, as findings shall name it.
        headers: with names in lower case.
    """

    request: str
    status: int
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def cookies(self) -> list[SentCookie]:
        """The cookies it sets or deletes."""
        now = datetime.now(UTC)
        return [
            SentCookie.parse(value, now) for name, value in self.headers if name == "set-cookie"
        ]

    def joined(self, name: str) -> str:
        """Return the values of a header, in lower case and with commas between."""
        return ", ".join(value for header, value in self.headers if header == name).lower()


class Caller(Protocol):
    """Sends requests to an application, wherever it runs. No redirect is followed."""

    @property
    def origin(self) -> str:
        """Scheme and host of the application."""
        ...

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Send a request, and wait for all of the response.

        Raises:
            CannotRun: there is none.
        """
        ...

    def close(self) -> None:
        """Stop what was started for it."""
        ...
