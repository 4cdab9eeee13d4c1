"""Access tokens that are checked without a store: JWTs by RFC 9068, issued from sessions."""

from coatcheck.core.claims import Claims
from coatcheck.tokens.issuer import AccessToken, Issuer
from coatcheck.tokens.key import Key
from coatcheck.tokens.keys import Keys, PublicKeys, SigningKeys
from coatcheck.tokens.remote import RemoteKeys
from coatcheck.tokens.verifier import Verifier

__all__ = [
    "AccessToken",
    "Claims",
    "Issuer",
    "Key",
    "Keys",
    "PublicKeys",
    "RemoteKeys",
    "SigningKeys",
    "Verifier",
]
