"""What a commit did, and what the client must be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from coatcheck.core.token import Token


class Holder(Enum):
    """Whose token it is; a browser keeps the two apart (C4)."""

    SIGNED_IN = "signed in"
    VISITOR = "visitor"

    @classmethod
    def of(cls, subject: str | None) -> "Holder":
        """Return who holds the token of a session of `subject`."""
        return cls.VISITOR if subject is None else cls.SIGNED_IN


class Cookies(dict[Holder, Token | None]):
    """By holder, the token to keep from now on, or `None`: delete the copy."""

    def drop_deletions(self) -> None:
        """Tell the client of new tokens only."""
        for holder in [holder for holder, token in self.items() if token is None]:
            del self[holder]


class Done(Enum):
    """What a commit did."""

    KEPT = "kept"
    """Nothing."""
    TOUCHED = "touched"
    """Recorded the activity, or will within a second."""
    SAVED = "saved"
    CREATED = "created"
    """A new session, of a visitor or by signing in."""
    ROTATED = "rotated"
    """The same session under a new token."""
    RENEWED = "renewed"
    """The same session and lineage under the next token; the one before is good for a while."""
    ENDED = "ended"
    DROPPED = "dropped"
    """Nothing: the session had ended meanwhile."""


_NO_COOKIES: Mapping[Holder, Token | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a commit.

    Attributes:
        cookies: what the client must be told; whoever drops it loses the session.
    """

    done: Done
    cookies: Mapping[Holder, Token | None] = field(default_factory=lambda: _NO_COOKIES)

    @property
    def token(self) -> Token | None:
        """The new token, where there is one."""
        return next((token for token in self.cookies.values() if token), None)


KEPT = Outcome(Done.KEPT)
"""The outcome of most commits."""
