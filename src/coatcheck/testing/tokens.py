"""Access tokens for the tests of a service, in one line."""

import os
from typing import Any

from coatcheck.core import base64url
from coatcheck.tokens.compact import write
from coatcheck.tokens.key import Key
from coatcheck.tokens.keys import SigningKeys
from coatcheck.tokens.verifier import Verifier


class _TestKeys:
    """A key for tests, beside those that a verifier has."""

    def __init__(self, verifier: Verifier) -> None:
        self.own = SigningKeys(SigningKeys.new_key()).first
        self._others = verifier._keys  # pyright: ignore[reportPrivateUsage]

    def find(self, id: str, /) -> Key | None:
        return self.own if id == self.own.id else self._others.find(id)


def access_token(
    verifier: Verifier, subject: str, *, assurance: int = 1, lifetime: int = 300, **claims: Any
) -> str:
    """Return a token that a service's verifier accepts; it believes a key for tests from now on.

    `{"Authorization": f"Bearer {access_token(verifier, 'alice', roles=['clerk'])}"}`.

    Args:
        lifetime: seconds; a negative one makes a token that is over.
        claims: what it says besides, and in place of the usual, such as `aud`.
    """
    if not isinstance(keys := verifier._keys, _TestKeys):  # pyright: ignore[reportPrivateUsage]
        keys = verifier._keys = _TestKeys(verifier)  # pyright: ignore[reportPrivateUsage]
    expected, now = verifier._expected, int(verifier._clock())  # pyright: ignore[reportPrivateUsage]
    expires = now + lifetime - (int(expected.leeway) if lifetime < 0 else 0)
    said = {
        "iss": expected.issuer,
        "aud": expected.audience,
        "sub": subject,
        "iat": min(now, expires),
        "exp": expires,
        "jti": base64url.encode(os.urandom(16)),
        "auth_time": now,
        "acr": f"aal{assurance}",
    }
    return write({**said, **claims}, keys.own)
