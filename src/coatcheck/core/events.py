"""What happened to sessions, told to whoever listens: one event a thing, no secret in any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Happened(StrEnum):
    """The kinds of events."""

    CREATED = "session_created"
    ROTATED = "session_rotated"
    RENEWED = "session_renewed"
    REPLAYED = "session_replayed"
    ENDED = "session_ended"
    ALL_ENDED = "sessions_ended"
    REFUSED = "token_refused"
    SIGN_IN_REFUSED = "sign_in_refused"
    SUPERSEDED = "change_superseded"
    DROPPED = "change_dropped"
    OVERWRITTEN = "change_overwritten"
    UNSAVED = "change_unsaved"
    UNREADABLE = "record_unreadable"
    LARGE = "session_large"
    UNAVAILABLE = "store_unavailable"
    SWEPT = "sessions_swept"
    BINDING_CHANGED = "binding_changed"
    CREATION_LIMITED = "creation_limited"
    GUESSING = "id_guessing"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        at: milliseconds UTC.
        id: the session's id, which opens nothing.
        facts: what else there is to know, by name.
    """

    kind: Happened
    at: int
    id: str | None = None
    subject: str | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


Listener = Callable[[Event], None]
