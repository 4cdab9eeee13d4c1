"""What one request wants done to its session, noted while it runs; nothing here does I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from coatcheck.core.codec import Codec
from coatcheck.core.merge import Data
from coatcheck.core.record import NOBODY, Client, Record
from coatcheck.core.token import Token
from coatcheck.errors import StoreUnavailable

LIBRARY_KEYS = "coatcheck:"
"""Prefix of keys the library keeps among the data (CSRF, OAuth state); they never move (P5)."""


class SignIn(NamedTuple):
    """The request proved who its user is."""

    subject: str
    assurance: int


class StepUp(NamedTuple):
    """The signed-in user proved more."""

    assurance: int


class Rotate(NamedTuple):
    """The user's privileges changed in another way."""


Privilege = SignIn | StepUp | Rotate | None
"""A privilege change: each starts a new lineage, which retires every older token at once (P1)."""


class Difference(NamedTuple):
    """Plain edits of the dict: the encoded data before and after them."""

    before: bytes
    after: bytes


Edit = Callable[[Data], object]
Step = Difference | Edit


class Standing(Enum):
    """What the token a request presented turned out to be.

    Anything but `CURRENT` is a request by nobody. `NONE`: no token. `RETIRED`: ended, moved or
    rotated away not long ago. `ABSENT`: nothing is known of it. `UNREADABLE`: another version of
    the application may know it.
    """

    NONE = "none"
    CURRENT = "current"
    RETIRED = "retired"
    EXPIRED = "expired"
    ABSENT = "absent"
    UNREADABLE = "unreadable"
    MALFORMED = "malformed"
    AMBIGUOUS = "ambiguous"

    @property
    def is_deletable(self) -> bool:
        """Whether the client's copy may be deleted: no newer one can be under way (C1)."""
        return self in _DELETABLE


_DELETABLE = (Standing.EXPIRED, Standing.ABSENT, Standing.MALFORMED, Standing.AMBIGUOUS)


@dataclass(slots=True)
class Intents:
    """The bookkeeping beside a `Session`'s dict. For adapters and stores of sessions only.

    Attributes:
        base: the record that was loaded; `None` while nothing is stored.
        seen_at: the activity that the record will show if the request writes nothing else.
        is_committed: whether this is not the request's first commit.
        content: its data, encoded.
        mark: the data, encoded, up to which `steps` tell what was done.
        carries: whether a sign-in takes the data along.
        ending: the record `end()` was called on.
        is_gone: the session ended elsewhere while this request ran; nothing of it is saved again.
        bar: the subject whose sessions this very request ended, and when it did.
        is_activity: whether the request counts as activity of the user.
        failure: why the session could not be loaded; every look at it raises this.
        cookies: what the client is to be told, by whether it concerns the signed-in cookie; a token
            to keep, or `None` to delete its copy.
    """

    codec: Codec
    opened_at: int
    client: Client = NOBODY
    standing: Standing = Standing.NONE
    base: Record | None = None
    seen_at: int = 0
    is_committed: bool = False
    content: bytes = b""
    mark: bytes = b""
    steps: list[Step] = field(default_factory=list[Step])
    privilege: Privilege = None
    carries: bool = True
    ending: Record | None = None
    is_gone: bool = False
    bar: tuple[str, int] | None = None
    is_activity: bool = True
    failure: StoreUnavailable | None = None
    cookies: dict[bool, Token | None] = field(default_factory=dict[bool, Token | None])

    @property
    def subject(self) -> str | None:
        """Who the session belongs to, a sign-in of this request included."""
        if isinstance(self.privilege, SignIn):
            return self.privilege.subject
        return self.base.subject if self.base else None

    def start(self, base: Record | None, content: bytes) -> None:
        """Take `base` with the encoded `content` as what is stored: nothing was done to it yet."""
        self.base = base
        self.content = self.mark = content
        self.steps = []
        self.privilege = None
        self.carries = True

    def note(self, data: dict[str, Any]) -> None:
        """Turn the plain edits since the last mark into a step."""
        after = self.codec.encode(data)
        if after != self.mark:
            self.steps.append(Difference(self.mark, after))
            self.mark = after
