"""What `set_expiry` asks for: when a session is over, and how long a browser keeps the cookie."""

from datetime import datetime

from coatcheck.core.session import Session

KEY = "_session_expiry"
"""Where Django keeps it: seconds without activity, 0, or a time as text."""

Expiry = int | str | None


def is_over(session: Session, age: int | None) -> bool:
    """Tell whether a session that the policy lets live is over by what Django was told.

    Args:
        age: seconds without activity, where the session itself says nothing of time.
    """
    state = session.state
    if (doubt := state.doubt) is not None:
        data, seen_at = doubt.data, doubt.record.seen_at
    elif state.base is not None:
        data, seen_at = session, state.was_seen_at
    else:
        return False
    expiry: Expiry = data.get(KEY) or age
    if not expiry:
        return False
    if isinstance(expiry, str):
        return state.opened_at >= _milliseconds(expiry)
    return state.opened_at >= seen_at + expiry * 1000


def kept_for(session: Session, longest: int) -> int | None:
    """Return how many seconds the browser keeps the cookie, `None` for as long as any other.

    Seconds without activity are for the server to count: a cookie that lives no longer than them
    would be gone although there is activity, as it is sent once.
    """
    expiry: Expiry = session.get(KEY)
    if isinstance(expiry, str):
        left = (_milliseconds(expiry) - session.state.acted_at) // 1000
        return min(max(1, left), longest)
    return longest if expiry else expiry


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
