"""How sessions travel over HTTP: transports, and an adapter for each framework."""

from coatcheck.core.outcome import Cookies
from coatcheck.core.presented import Presented
from coatcheck.core.unseen import Unseen, look
from coatcheck.sessions import Arrival
from coatcheck.web.answers import Answer
from coatcheck.web.bearer import BearerTransport
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate, Passive
from coatcheck.web.redirect import safe_next
from coatcheck.web.transport import Headers, Transport

__all__ = [
    "Answer",
    "Arrival",
    "BearerTransport",
    "CookieTransport",
    "Cookies",
    "Exchange",
    "Gate",
    "Headers",
    "Passive",
    "Presented",
    "Transport",
    "Unseen",
    "look",
    "safe_next",
]
