"""The table of outcomes: what a request wants meets what happened since it opened.

It is the table of docs/explanation/semantics.md as code, without I/O.
"""

from enum import Enum

from coatcheck.core.intents import Privilege, SignIn
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.token import same


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


def decide(base: Record, privilege: Privilege, stored: Stored) -> Verdict:
    """Say what becomes of a privilege change, or else an edit, made on `base`.

    Args:
        stored: what the store holds now.
    """
    if isinstance(stored, Record) and same(stored.lineage_digest, base.lineage_digest):
        return Verdict.APPLY
    moved = isinstance(stored, Tombstone) and stored.why == Ended.MOVED
    if isinstance(privilege, SignIn):
        return _sign_in(base, privilege, stored)
    if isinstance(stored, Record) or moved:
        return Verdict.SUPERSEDED
    return Verdict.DROP if privilege is None else Verdict.UNAUTHENTICATED


def _sign_in(base: Record, sign_in: SignIn, stored: Stored) -> Verdict:
    """A sign-in never loses, as this very request proved the credentials; it starts alone (P6)."""
    if isinstance(stored, Record) and sign_in.subject == base.subject:
        return Verdict.COPY
    moved_to = stored.moved_to_subject if isinstance(stored, Tombstone) else None
    return Verdict.KEEP if base.subject is None and moved_to == sign_in.subject else Verdict.EMPTY
