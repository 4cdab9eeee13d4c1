"""The bearer token a client holds: `<id>.<lineage>.<secret>`, accepted in one spelling only.

The id names the record and may be seen by anyone; the two secrets are known to the client alone,
the store keeps their digests. Each part stays in its base64url spelling, which is canonical:
equal bytes have equal text, so digests are taken of the text.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac
from typing import NamedTuple, Self

from coatcheck.core import base64url

LENGTH = 22 + 1 + 22 + 1 + 43
# The last character of each part carries 2 or 4 significant bits; only spellings whose unused bits
# are zero are canonical.
_SPELLING = re.compile(
    r"([A-Za-z0-9_-]{21}[AQgw])\.([A-Za-z0-9_-]{21}[AQgw])\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])",
    re.ASCII,
)
_ID = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]", re.ASCII)


class Digests(NamedTuple):
    """What a record keeps of a token: SHA-256, the lineage's cut to 16 bytes."""

    lineage: bytes
    secret: bytes


@dataclass(slots=True, repr=False, unsafe_hash=True)
class Token:
    """A session's credential. Its text never appears by accident: `reveal()` is the only way out.

    Never changed once it is made; not frozen, as making it would take twice the time.

    Attributes:
        id: 16 random bytes; the key of the record. Not a secret.
        lineage: 16 random bytes, new with each privilege change. A secret.
        secret: 32 random bytes (ASVS 5.0 V7.2.3 asks for 16). A secret.
    """

    id: str
    lineage: str
    secret: str

    @classmethod
    def mint(
        cls, random: Callable[[int], bytes], id: str | None = None, lineage: str | None = None
    ) -> Self:
        """Make a token of `random` bytes: for a new session, or a new lineage of session `id`.

        Args:
            lineage: made before, by `new_lineage`, and in no other token yet.
        """
        return cls(
            id or base64url.encode(random(16)),
            lineage or new_lineage(random),
            base64url.encode(random(32)),
        )

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a token; `None` for anything but the canonical spelling (ASVS 5.0 V2.2.1)."""
        if len(text) != LENGTH:
            return None
        found = _SPELLING.fullmatch(text)
        return cls(*found.groups()) if found else None

    def reveal(self) -> str:
        """Spell the token out, for the one place that hands it to the client."""
        return f"{self.id}.{self.lineage}.{self.secret}"

    def digests(self) -> Digests:
        """Return what a record may keep of this token."""
        return Digests(
            sha256(self.lineage.encode()).digest()[:16], sha256(self.secret.encode()).digest()
        )

    def successor(self, nonce: bytes) -> Self:
        """Return the token of the same lineage that takes its place in a renewal (R1).

        It follows from this one's secret, by HMAC-SHA-256, and from what the record keeps: whoever
        holds this one gets the same successor in any process, and the store alone yields nothing.
        """
        secret = hmac(self.secret.encode(), b"renew" + nonce, "sha256")
        return type(self)(self.id, self.lineage, base64url.encode(secret))

    def __repr__(self) -> str:
        return f"<Token {self.id}>"

    __str__ = __repr__


def new_lineage(random: Callable[[int], bytes]) -> str:
    """Make the lineage of a token that is minted later."""
    return base64url.encode(random(16))


def is_id(text: str) -> bool:
    """Tell whether `text` is spelled as the id of a session is."""
    return _ID.fullmatch(text) is not None


def same(left: bytes, right: bytes) -> bool:
    """Compare two digests in constant time (ASVS 5.0 V11.2.4)."""
    return compare_digest(left, right)
