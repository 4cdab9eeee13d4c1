"""The token of forms: it shows that a page of the application made the request.

It is computed from the lineage of the session's own token, so nothing of it is stored; it dies when
privileges change, and lives on when the secret alone is renewed.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable
from hashlib import sha256
from hmac import digest

from coatcheck.core import base64url
from coatcheck.core.token import same

_PURPOSE = b"coatcheck csrf token 1"
_SIZE = 16
# 32 bytes; the last character carries four bits, so that equal bytes have one spelling.
_SPELLING = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]", re.ASCII)


def issue(lineage: str, random: Callable[[int], bytes]) -> str:
    """Return a token for the sessions of `lineage`, spelled differently each time.

    A fresh pad and the proof under it: a page that is compressed gives nothing of it away, however
    often it is asked for (BREACH).
    """
    pad = random(_SIZE)
    return base64url.encode(pad + _xor(pad, _proof(lineage)))


def fits(lineage: str, token: object) -> bool:
    """Tell whether `token` was issued for `lineage`; anything but a whole one was not."""
    if not isinstance(token, str) or not _SPELLING.fullmatch(token):
        return False
    raw = a2b_base64(token.translate(_PLAIN) + "=")
    return same(_xor(raw[:_SIZE], raw[_SIZE:]), _proof(lineage))


_PLAIN = str.maketrans("-_", "+/")


def _proof(lineage: str) -> bytes:
    """Return what only those can compute who hold the session's token; as strong as its lineage."""
    return digest(lineage.encode(), _PURPOSE, sha256)[:_SIZE]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
