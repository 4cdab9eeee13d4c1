"""One-use tickets that open a WebSocket where no cookie can: `<id>.<secret>`.

The session's data holds their digests (ASVS 5.0 V4.4.3, V4.4.4). A digest covers the lineage, so
that every privilege change makes the tickets worthless.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self
from urllib.parse import urlsplit

from coatcheck.core import base64url
from coatcheck.core.intents import LIBRARY_KEYS
from coatcheck.core.merge import Data

KEY = LIBRARY_KEYS + "tickets"
KEPT = 30_000
"""Milliseconds a ticket is good."""
MOST = 16
"""How many of a session are good at once; another one takes the oldest one's place."""
_SPELLING = re.compile(
    r"([A-Za-z0-9_-]{21}[AQgw])\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])", re.ASCII
)


class TicketRefused(Exception):
    """It opens nothing: used, too late, of another origin, or never issued."""


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """A credential for one handshake. Its text never appears by accident: `reveal()` tells it.

    Attributes:
        id: of the session.
        secret: 32 random bytes. A secret.
    """

    id: str
    secret: str

    @classmethod
    def mint(cls, random: Callable[[int], bytes], id: str) -> Self:
        """Make a ticket of a session."""
        return cls(id, base64url.encode(random(32)))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a ticket; `None` for anything but the canonical spelling."""
        found = _SPELLING.fullmatch(text)
        return cls(*found.groups()) if found else None

    def reveal(self) -> str:
        """Spell the ticket out, for the one who asked for it."""
        return f"{self.id}.{self.secret}"

    def digest(self, lineage: bytes) -> str:
        """Return what the session keeps of this ticket, by the digest of its lineage."""
        return sha256(b"ticket" + lineage + self.secret.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<Ticket of {self.id}>"


def put_in(data: Data, digest: str, origin: str | None, now: int) -> None:
    """Note a ticket, and forget those that are over."""
    good = {key: each for key, each in _tickets(data).items() if now < each[0]}
    oldest_first = sorted(good, key=lambda key: good[key][0])
    for key in oldest_first[: max(0, len(good) - MOST + 1)]:
        del good[key]
    data[KEY] = {**good, digest: [now + KEPT, origin]}


def take_out(data: Data, digest: str, origin: str | None, now: int) -> None:
    """Use a ticket up.

    The key stays, empty: a session that is left without data would end.

    Raises:
        TicketRefused: there is none that is good.
    """
    tickets = dict(_tickets(data))
    expires_at, asked_by = tickets.pop(digest, (0, None))
    if now >= expires_at or origin != asked_by:
        raise TicketRefused
    data[KEY] = tickets


def is_origin(text: str) -> bool:
    """Tell whether a text is spelled as browsers spell an origin (RFC 6454 6.1)."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    spelled = f"{parts.scheme}://{parts.netloc}".lower()
    return bool(parts.scheme and parts.netloc) and "@" not in text and text == spelled


def _tickets(data: Data) -> dict[str, Any]:
    found: dict[str, Any] = data.get(KEY, {})
    return found
