"""What the library itself keeps in a session's content, out of reach of the application's code.

It says who somebody is about to be, or may become again. So it is apart from the dict: who can make
an application set a key of its choice (CWE-501) could be anybody otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from coatcheck.core.intents import LIBRARY_KEYS
from coatcheck.core.merge import Data
from coatcheck.errors import Unauthenticated

ACTOR = f"{LIBRARY_KEYS}actor"
PENDING = f"{LIBRARY_KEYS}pending"
_KEYS = (ACTOR, PENDING)


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in whose password was right and whose second factor is awaited. It opens nothing.

    Attributes:
        subject: who it would be.
        attempts: how many are left.
        expires_at: when it is over.
    """

    subject: str
    attempts: int
    expires_at: datetime


class Actor(NamedTuple):
    """The login that goes on when an impersonation is over; times are milliseconds UTC.

    Attributes:
        begun_at: when the request arrived that began the impersonation. Whoever ends all sessions
            of the actor after that ends this as well.
    """

    subject: str
    assurance: int
    authenticated_at: int
    ends_at: int
    begun_at: int


def take(data: Data) -> Data:
    """Take the library's own out of decoded content, and return it."""
    return {key: data.pop(key) for key in _KEYS if key in data}


def without(data: Data) -> Data:
    """Return the data without such keys."""
    return {key: value for key, value in data.items() if key not in _KEYS}


def past(change: Callable[[Data], object]) -> Callable[[Data], None]:
    """Return an edit that neither sees the library's own nor leaves any."""

    def edit(data: Data) -> None:
        own = take(data)
        change(data)
        take(data)
        data.update(own)

    return edit


def spend(data: Data) -> None:
    """Take one attempt off a sign-in that waits.

    Raises:
        Unauthenticated: there is none left.
    """
    pending: Any = data.get(PENDING)
    if pending is None or pending["attempts"] < 1:
        raise Unauthenticated("no attempt is left")
    data[PENDING] = {**pending, "attempts": pending["attempts"] - 1}
