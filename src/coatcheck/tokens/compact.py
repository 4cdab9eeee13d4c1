"""The compact form of a signed token (RFC 7515 7.1): `header.payload.signature`, and no other."""

import json
from collections.abc import Mapping
from typing import Any

from coatcheck.core import base64url
from coatcheck.errors import InvalidToken
from coatcheck.tokens.key import Key
from coatcheck.tokens.keys import Keys
from coatcheck.tokens.strict_json import members

TYPE = "at+jwt"
"""Of access tokens; tokens for other purposes have other types (RFC 9068 2.1, RFC 8725 3.11)."""
LONGEST = 8_192
"""Characters of a token: what servers take for all headers of a request."""
_LONGEST_HEADER = 1_024
"""Characters of a header, which is read before anybody knows who wrote it."""
_TYPES = {TYPE, f"application/{TYPE}"}
_REFUSED = {"b64", "crit", "enc", "jku", "jwk", "x5c", "x5u", "zip"}
"""What would change what is signed, or bring a key along (RFC 7515 4.1; RFC 8725 3.10)."""


def write(said: Mapping[str, Any], key: Key) -> str:
    """Return a token that says so, signed.

    Raises:
        TypeError, ValueError: what it shall say is no JSON.
    """
    header = {"alg": key.algorithm.name, "kid": key.id, "typ": TYPE}
    signed = f"{base64url.encode(_json(header))}.{base64url.encode(_json(said))}"
    return f"{signed}.{base64url.encode(key.sign(signed.encode()))}"


def read(text: str, keys: Keys) -> dict[str, Any]:
    """Return what a token says, if one of the keys signed it.

    Raises:
        InvalidToken: it is none, or nobody who is known here signed it.
    """
    if len(text) > LONGEST:
        raise InvalidToken("it is too long")
    try:
        head, body, signature = text.split(".")
        if len(head) > _LONGEST_HEADER:
            raise InvalidToken("its header is too long")
        signed, raw = f"{head}.{body}".encode("ascii"), base64url.decode(signature)
        header = members(base64url.decode(head))
    except ValueError:
        raise InvalidToken("it is no signed token") from None
    key = _key(header, keys)
    if not key.verify(signed, raw):
        raise InvalidToken("its signature is wrong")
    try:
        return members(base64url.decode(body))
    except ValueError:
        raise InvalidToken("its payload is no JSON object") from None


def _key(header: Mapping[str, Any], keys: Keys) -> Key:
    """Return the key that a header names, if it asks for what that key is for."""
    if not _REFUSED.isdisjoint(header):
        raise InvalidToken("its header asks for what is not done here")
    type = header.get("typ")
    if not isinstance(type, str) or type.lower() not in _TYPES:
        raise InvalidToken("it is no access token")
    id = header.get("kid")
    key = keys.find(id) if isinstance(id, str) else None
    if key is None:
        raise InvalidToken("no key that is known here signed it")
    if header.get("alg") != key.algorithm.name:
        raise InvalidToken("its algorithm is not its key's")
    return key


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
