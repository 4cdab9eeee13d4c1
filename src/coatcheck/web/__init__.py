"""How sessions travel over HTTP: transports, and an adapter for each framework."""

from coatcheck.core.outcome import Cookies
from coatcheck.core.presented import Presented
from coatcheck.core.unseen import Unseen, look
from coatcheck.door import Arrival
from coatcheck.web.answers import Answer
from coatcheck.web.bearer import BearerTransport
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.csrf import CSRF, Peek
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate, GateOptions, Passive
from coatcheck.web.redirect import safe_next
from coatcheck.web.transport import Headers, Transport

__all__ = [
    "CSRF",
    "Answer",
    "Arrival",
    "BearerTransport",
    "CookieTransport",
    "Cookies",
    "Exchange",
    "Gate",
    "GateOptions",
    "Headers",
    "Passive",
    "Peek",
    "Presented",
    "Transport",
    "Unseen",
    "look",
    "safe_next",
]
