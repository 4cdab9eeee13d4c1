"""Tokens as no issuer would make them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from coatcheck.core.base64url import encode
from coatcheck.tokens import Issuer, PublicKeys, SigningKeys, Verifier
from coatcheck.tokens.key import Key

ISSUER, AUDIENCE, NOW = "https://shop.example", "orders", 1_800_000_000

GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "alice",
    "iat": NOW,
    "exp": NOW + 300,
    "jti": "one",
}


def issuer_by(clock: Callable[[], int], keys: SigningKeys) -> Issuer:
    """Return an issuer whose time is that of the sessions."""
    claims = ["name", "roles"]
    return Issuer(ISSUER, keys, audience=AUDIENCE, claims=claims, clock=lambda: clock() / 1_000)


def verifier_by(clock: Callable[[], int], keys: SigningKeys) -> Verifier:
    """Return a service's verifier, by the public keys alone."""
    public = PublicKeys(keys.jwks())
    return Verifier(ISSUER, audience=AUDIENCE, keys=public, clock=lambda: clock() / 1_000)


def signing(algorithm: str) -> SigningKeys:
    return SigningKeys(SigningKeys.new_key(algorithm))


def forge(
    key: Key,
    said: Mapping[str, Any] | bytes = GOOD,
    header: Mapping[str, Any] | bytes | None = None,
) -> str:
    """Sign whatever it is; members of `header` that are `None` are left out."""
    usual = {"alg": key.algorithm.name, "kid": key.id, "typ": "at+jwt"}
    if not isinstance(header, bytes):
        header = raw({name: v for name, v in {**usual, **(header or {})}.items() if v is not None})
    signed = f"{encode(header)}.{encode(said if isinstance(said, bytes) else raw(said))}"
    return f"{signed}.{encode(key.sign(signed.encode()))}"


def raw(value: object) -> bytes:
    return json.dumps(value).encode()
