"""The table of outcomes: what a request wants meets what happened since it opened.

This is the table of the semantics (docs/explanation/semantics.md), as code: one row after the
other, without I/O, so that it can be read beside it and explored exhaustively.
"""

from dataclasses import dataclass
from enum import Enum

from coatcheck.core.intents import Privilege, SignIn
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.token import Token, same


class Verdict(Enum):
    """What becomes of the request's changes."""

    APPLY = "apply"
    """Rebase on what is stored, and save."""
    COPY = "fork with a copy"
    """Start a new session with a copy of what is stored; that session stays."""
    EMPTY = "fork, empty"
    """Start a new session without the data; whatever is stored stays."""
    KEEP = "fork, keep"
    """Start a new session with the data: the old one moved to the same user."""
    SUPERSEDED = "superseded"
    """Refuse with 409: nothing is saved."""
    UNAUTHENTICATED = "unauthenticated"
    """Refuse with 401: there is nobody any more whose privileges could change."""
    DROP = "drop"
    """Answer 200: the changes came before the end, as it were."""
    NOTHING = "nothing"


def decide(base: Record, privilege: Privilege, edited: bool, stored: Stored) -> Verdict:
    """Say what becomes of changes made on `base`, now that `stored` is what the store holds."""
    signs_in = isinstance(privilege, SignIn)
    wants = edited or privilege is not None
    if isinstance(stored, Record):
        if same(stored.lineage_digest, base.lineage_digest):
            return Verdict.APPLY
        if isinstance(privilege, SignIn):
            return Verdict.COPY if privilege.subject == base.subject else Verdict.EMPTY
        return Verdict.SUPERSEDED if wants else Verdict.NOTHING
    if isinstance(stored, Tombstone) and stored.why == Ended.MOVED:
        if isinstance(privilege, SignIn):
            mine = base.subject is None and stored.moved_to_subject == privilege.subject
            return Verdict.KEEP if mine else Verdict.EMPTY
        return Verdict.SUPERSEDED if wants else Verdict.NOTHING
    if signs_in:
        return Verdict.EMPTY
    if privilege is not None:
        return Verdict.UNAUTHENTICATED
    return Verdict.DROP if edited else Verdict.NOTHING


class Done(Enum):
    """What a commit did."""

    KEPT = "kept"
    TOUCHED = "touched"
    SAVED = "saved"
    CREATED = "created"
    ROTATED = "rotated"
    ENDED = "ended"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a commit.

    Attributes:
        token: the new token, when there is one; the client must get it or lose the session.
    """

    done: Done
    token: Token | None = None
