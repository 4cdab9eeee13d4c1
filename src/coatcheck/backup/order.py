"""The order of a user's sessions (G4), told by the sessions themselves: when each was signed in."""

from collections.abc import Iterable, Sequence

from coatcheck.core.record import Record


def opened_at(record: Record) -> int:
    """Return when a session was begun, or its user was last proved: the later of both."""
    return max(record.created_at, record.authenticated_at or 0)


def in_order(records: Iterable[Record]) -> list[Record]:
    """Return records as their entries stand in the index of a subject, the oldest first."""
    return sorted(records, key=lambda record: (opened_at(record), record.id))


def misplaced(listed: Sequence[str], wanted: Sequence[Record]) -> Sequence[Record]:
    """Return which records have to go to the end of an index, one by one, to be as `wanted`.

    Args:
        listed: the ids that are in it, in order; what is not wanted is in nobody's way.
    """
    right = 0
    for id in listed:
        if right < len(wanted) and id == wanted[right].id:
            right += 1
    return wanted[right:]
