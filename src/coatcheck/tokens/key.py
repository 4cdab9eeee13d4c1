"""One key, with the one algorithm it is for (RFC 7517; RFC 8725 3.1); joserfc calculates."""

import os
from collections.abc import Mapping
from typing import Any, Self

from coatcheck.core import base64url
from coatcheck.extras import extra
from coatcheck.keyring import is_random
from coatcheck.tokens.algorithm import ALGORITHMS, Algorithm

with extra("tokens", "joserfc"):
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
    from joserfc.jwk import Key as JoseKey
    from joserfc.jws import JWSRegistry

_KINDS: dict[str, type[ECKey | OctKey | OKPKey | RSAKey]] = {
    "EC": ECKey,
    "OKP": OKPKey,
    "RSA": RSAKey,
    "oct": OctKey,
}

_IMPLIED = {"P-256": "ES256", "Ed25519": "EdDSA"}
_OWN = {"kty", "crv", "x", "y", "d", "k", "n", "e", "p", "q", "dp", "dq", "qi", "oth"}
"""What makes a key; all else says what it is for (RFC 7518 6)."""
_ID_LENGTH = 200
_PROBE = b"coatcheck"
_LEAST_EXPONENT = 65_537


class Key:
    """A key that signs, or one that can only check.

    Attributes:
        id: by which a token names it (`kid`).
    """

    __slots__ = ("_key", "_sign", "algorithm", "id")

    def __init__(self, id: str, algorithm: Algorithm, key: JoseKey) -> None:
        self.id, self.algorithm, self._key = id, algorithm, key
        name = algorithm.signature
        self._sign = JWSRegistry(algorithms=[name]).get_alg(name)

    @classmethod
    def read(cls, jwk: Mapping[str, Any]) -> Self:
        """Return the key that a JWK describes.

        Raises:
            ValueError: it describes none that may be used; it says why, and nothing of the key.
        """
        algorithm = _algorithm(jwk)
        if not _is_for_signatures(jwk):
            raise ValueError("is not for signatures")
        _check_strength(jwk, algorithm)
        try:
            key = _KINDS[algorithm.kty].import_key({n: jwk[n] for n in _OWN if n in jwk})
        except (JoseError, ValueError, TypeError):
            raise ValueError(f"is no good {algorithm.kty} key") from None
        id = jwk.get("kid")
        if id is None and not algorithm.is_symmetric:
            id = key.thumbprint()
        if not isinstance(id, str) or not 0 < len(id) <= _ID_LENGTH:
            raise ValueError(f"has no kid: a text of 1 to {_ID_LENGTH} characters")
        found = cls(id, algorithm, key)
        if found.signs and not algorithm.is_symmetric:
            found._require_halves_that_fit()
        return found

    def _require_halves_that_fit(self) -> None:
        """Refuse a key by whose published half nobody would take what it signs."""
        public = type(self).read(self.jwk)
        if not public.verify(_PROBE, self.sign(_PROBE)):
            raise ValueError("has two halves that are of different keys")

    @staticmethod
    def make(algorithm: Algorithm) -> dict[str, Any]:
        """Return a new key as a JWK: secret, from the system's generator (ASVS 5.0 V11.5.1)."""
        kind: Any = _KINDS[algorithm.kty]
        key: JoseKey = kind.generate_key(algorithm.curve or algorithm.bits)
        # A symmetric key's thumbprint would tell who guesses it that they are right.
        id = base64url.encode(os.urandom(12)) if algorithm.is_symmetric else key.thumbprint()
        return {**key.as_dict(private=True), "alg": algorithm.name, "kid": id, "use": "sig"}

    @property
    def material(self) -> str:
        """What tells it from all others, whatever they are called (RFC 7638)."""
        return self._key.thumbprint()

    @property
    def signs(self) -> bool:
        """Whether it can do more than check."""
        return self._key.is_private

    @property
    def jwk(self) -> dict[str, Any]:
        """Its public half."""
        own = {"alg": self.algorithm.name, "kid": self.id, "use": "sig"}
        return {**self._key.as_dict(private=False), **own}

    def sign(self, signed: bytes) -> bytes:
        """Return the signature of some bytes."""
        return self._sign.sign(signed, self._key)

    def verify(self, signed: bytes, signature: bytes) -> bool:
        """Tell whether a signature of some bytes was made by this key, or by its secret half."""
        return self._sign.verify(signed, signature, self._key)

    def __repr__(self) -> str:
        return f"<Key {self.id} for {self.algorithm.name}>"


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    """Tell whether nothing says that it is for something else (RFC 7517 4.2, 4.3)."""
    purposes = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(purposes, list):
        return False
    return "sign" in purposes or "verify" in purposes


def _algorithm(jwk: Mapping[str, Any]) -> Algorithm:
    name = jwk.get("alg")
    if name is None:  # of somebody else's, which may leave it out (RFC 7517 4.4)
        name = "RS256" if jwk.get("kty") == "RSA" else _IMPLIED.get(str(jwk.get("crv")))
    algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
    if algorithm is None:
        raise ValueError(f"is for no algorithm that is used here: {', '.join(ALGORITHMS)}")
    return algorithm


def _check_strength(jwk: Mapping[str, Any], algorithm: Algorithm) -> None:
    """Refuse a key that is of another kind than its algorithm's, or weaker (RFC 8725 3.5)."""
    if jwk.get("kty") != algorithm.kty:
        raise ValueError(f"is no {algorithm.kty} key, as {algorithm.name} needs")
    if algorithm.curve and jwk.get("crv") != algorithm.curve:
        raise ValueError(f"is not on the curve {algorithm.curve}, as {algorithm.name} needs")
    if algorithm.bits:
        raw = _part(jwk, "k" if algorithm.is_symmetric else "n")
        has = 8 * len(raw) if algorithm.is_symmetric else int.from_bytes(raw).bit_length()
        if has < algorithm.bits:
            raise ValueError(f"has {has} bits, {algorithm.name} needs {algorithm.bits}")
        if algorithm.is_symmetric and not is_random(raw):
            raise ValueError("is not random: make one with `coatcheck signing-key`")
        if not algorithm.is_symmetric and int.from_bytes(_part(jwk, "e")) < _LEAST_EXPONENT:
            raise ValueError(f"has an exponent below {_LEAST_EXPONENT}")


def _part(jwk: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64url.decode(jwk[name])
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"is no good {jwk['kty']} key") from None
