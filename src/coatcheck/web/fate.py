"""How a WebSocket is closed whose session is over."""

from coatcheck.core.fate import Fate


def code(fate: Fate) -> int:
    """Return 1008, a policy (RFC 6455 7.4.1), or 1013 of IANA's registry: try again later."""
    return 1008 if fate is Fate.ENDED else 1013
