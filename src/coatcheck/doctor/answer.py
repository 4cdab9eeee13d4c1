"""What an application answered, and how it is asked."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from coatcheck.doctor.sent_cookie import SentCookie
from coatcheck.sessions import Sessions

MAX_BODY = 1_048_576
"""Bytes of a body that are looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; its body and its cookies' values are shown nowhere.

    Attributes:
        request: method and path, as findings shall name it.
        headers: with names in lower case.
        body: as much of it as is looked at.
        cookies: those it sets or deletes.
    """

    request: str
    status: int
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    cookies: list[SentCookie]

    @classmethod
    def of(
        cls, request: str, status: int, headers: Iterable[tuple[str, str]], body: bytes
    ) -> "Answer":
        """Return what came just now."""
        said = [(name.lower(), value) for name, value in headers]
        now = datetime.now(UTC)
        cookies = [SentCookie.parse(value, now) for name, value in said if name == "set-cookie"]
        return cls(request, status, said, body[:MAX_BODY], cookies)

    def joined(self, name: str) -> str:
        """Return the values of a header, in lower case and with commas between."""
        return ", ".join(value for header, value in self.headers if header == name).lower()


def shown_request(method: str, path: str) -> str:
    """Return a request without its query, which may be secret."""
    return f"{method} {path.partition('?')[0]}"


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

    def close(self, used: Collection[Sessions] = ()) -> None:
        """Stop what was started for it.

        Args:
            used: sessions that it may have used; their connections are let go of where they are.
        """
        ...
