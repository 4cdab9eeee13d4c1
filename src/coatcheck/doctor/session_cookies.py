"""Which of an application's cookies are those of its sessions."""

import re
from collections.abc import Iterable

_NEVER = re.compile(r"csrf|xsrf|lang|locale|theme|consent", re.IGNORECASE)
_LIKELY = re.compile(r"sess|sid|auth|anon|token|login|remember", re.IGNORECASE)


def session_names(names: Iterable[str], wanted: Iterable[str] = ()) -> set[str]:
    """Return the names of cookies that hold sessions.

    Args:
        wanted: which they are, where that is known.
    """
    found = set(names)
    if known := set(wanted):
        return found & known
    found = {name for name in found if not _NEVER.search(name)}
    return {name for name in found if _LIKELY.search(name)} or found
