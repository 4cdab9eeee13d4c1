"""How sessions travel over HTTP: transports, and an adapter for each framework."""

from coatcheck.web.bearer import BearerTransport
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.transport import Transport

__all__ = ["BearerTransport", "CookieTransport", "Transport"]
