"""What happened to sessions, told to whoever listens: one event a thing, no secret in any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from coatcheck.core.record import NOBODY, Client


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
    EVICTED = "records_evicted"
    BINDING_CHANGED = "binding_changed"
    CREATION_LIMITED = "creation_limited"
    GUESSING = "id_guessing"
    STEPPED_UP = "session_stepped_up"
    EXPIRED = "session_expired"
    SECRET_STORED = "secret_stored"  # noqa: S105 - a name
    EVENTS_LOST = "events_lost"
    CSRF_REFUSED = "csrf_refused"
    EVERYTHING_ENDED = "all_sessions_ended"
    IMPERSONATION_STARTED = "impersonation_started"
    IMPERSONATION_STOPPED = "impersonation_stopped"
    KEY_CHANGED = "key_changed"

    @property
    def is_routine(self) -> bool:
        """Whether it changes nobody's authentication, so that a record of it may come later.

        Anybody can cause some of these as often as they like.
        """
        return self in _ROUTINE


_ROUTINE = {
    Happened.REFUSED,
    Happened.SUPERSEDED,
    Happened.DROPPED,
    Happened.OVERWRITTEN,
    Happened.UNSAVED,
    Happened.UNREADABLE,
    Happened.LARGE,
    Happened.UNAVAILABLE,
    Happened.SWEPT,
    Happened.EVICTED,
    Happened.SECRET_STORED,
    Happened.EVENTS_LOST,
    Happened.CSRF_REFUSED,
    Happened.CREATION_LIMITED,
    Happened.GUESSING,
}

USER = "user"
"""The actor is whoever the session belongs to."""
SYSTEM = "system"
"""The actor is nobody: time did it, or a rule."""
APPLICATION = "application"
"""The actor is code of the application, which did not say for whom."""


def administrator(name: str) -> str:
    """Return the actor that is an administrator, or whoever else acts on others' sessions."""
    return f"administrator:{name}"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened (ASVS 5.0 V16.2.1, V16.3.3).

    Attributes:
        at: milliseconds UTC.
        id: the session's id: its public handle, which opens nothing.
        subject: whose session it is.
        facts: what else there is to know, by name.
        actor: who caused it: `USER`, `SYSTEM`, `APPLICATION` or an `administrator`; `None` where
            nobody knows, as when a token opens nothing.
        cause: why it happened, in a word: `sign_in`, `end_all`, `idle`, or what a token was.
        client: of the request that did it, where there was one.
    """

    kind: Happened
    at: int
    id: str | None = None
    subject: str | None = None
    facts: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    actor: str | None = None
    cause: str | None = None
    client: Client = NOBODY


Listener = Callable[[Event], None]
