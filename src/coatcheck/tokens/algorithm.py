"""The algorithms a key may sign by; each wants one kind of key, strong enough (RFC 7518 3)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One of them.

    Attributes:
        name: as in `alg` of a token and of a key.
        kty: the kind of key (RFC 7518 6.1).
        curve: of a key that is a point on one; else empty.
        bits: the fewest that a key without a curve has (RFC 7518 3.2; ASVS 5.0 V11.2.3).
    """

    name: str
    kty: str
    curve: str = ""
    bits: int = 0

    @property
    def is_symmetric(self) -> bool:
        """Whether who checks a token could make one as well."""
        return self.kty == "oct"

    @property
    def signature(self) -> str:
        """What signs: EdDSA with this curve has a name of its own by now (RFC 9864 2.2)."""
        return "Ed25519" if self.name == "EdDSA" else self.name


ALGORITHMS = {
    each.name: each
    for each in (
        Algorithm("ES256", "EC", "P-256"),
        Algorithm("EdDSA", "OKP", "Ed25519"),
        Algorithm("Ed25519", "OKP", "Ed25519"),
        Algorithm("RS256", "RSA", bits=3072),
        Algorithm("HS256", "oct", bits=256),
        Algorithm("HS512", "oct", bits=512),
    )
}
"""All there are, the one to take first. None is `none`."""
