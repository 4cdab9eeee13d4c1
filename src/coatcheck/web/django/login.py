"""Who Django says is logged in, and whose session it is: the two are never different."""

from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from coatcheck.core.intents import LIBRARY_KEYS
from coatcheck.core.session import Session

ADOPTED = f"{LIBRARY_KEYS}django"
"""Which sign-in of another framework Django's keys were written for."""

_KEYS = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)


def distrust(session: Session) -> None:
    """Hide Django's keys in a session that is somebody else's, or nobody's.

    Whoever can write to the data could log in as anybody otherwise, past the index of subjects.
    The next save leaves them out; an edit could leave the session empty, which ends it.
    """
    if (doubt := session.doubt) is not None and doubt.data.get(SESSION_KEY) != doubt.subject:
        _taken(doubt.data)
    if SESSION_KEY in session and session[SESSION_KEY] != session.subject:
        _taken(session)
        session.state.believe(session)


def put(session: Session, key: str, value: Any) -> None:
    """Set a key, as Django's `login` does: the user's id signs in, again too."""
    if key == SESSION_KEY:
        session.pop(ADOPTED, None)
        session.sign_in(str(value))
    session[key] = value


def follow(session: Session) -> None:
    """Sign in whoever was logged in past `put`."""
    user = session.get(SESSION_KEY)
    if user is not None and user != session.subject:
        kept = _taken(session)  # and put in after the sign-in, so that it is the user's own
        session.sign_in(str(user))
        session.update(kept)


def _taken(data: dict[str, Any]) -> dict[str, Any]:
    data.pop(ADOPTED, None)
    return {key: data.pop(key) for key in _KEYS if key in data}
