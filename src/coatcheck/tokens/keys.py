"""Sets of keys: what signs tokens, and what checks them."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, Self, cast

from coatcheck.core.hide import hidden
from coatcheck.errors import ConfigurationError
from coatcheck.tokens.algorithm import ALGORITHMS
from coatcheck.tokens.key import Key
from coatcheck.tokens.strict_json import members

_HOW = "make one with `coatcheck signing-key`, or by SigningKeys.new_key()"
_MOST = 100
_SECRET = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


class Keys(Protocol):
    """What checks signatures."""

    def find(self, id: str, /) -> Key | None:
        """Return the key of that id, and no other one."""
        ...


class SigningKeys:
    """Secret keys: the first signs, all of them are published and check.

    To change the key, put the new one last, wait until all that check tokens know it, then put it
    first; take the old one out when the last token that it signed is over.

    Args:
        keys: each a JWK as text (RFC 7517), as `new_key` makes it.
        setting: where they come from, as errors shall call it.

    Raises:
        ConfigurationError: there is none; one is no secret key, is too weak, or is there twice. It
            names the setting, never the key.
    """

    def __init__(self, *keys: str, setting: str = "keys") -> None:
        read = [_key(_members(text, setting, n), setting, n) for n, text in enumerate(keys, 1)]
        for number, key in enumerate(read, 1):
            if not key.signs:
                raise ConfigurationError(setting, f"key {number} is a public key; {_HOW}")
        if not read:
            raise ConfigurationError(setting, f"holds no key; {_HOW}")
        self._keys = _by_id(read, setting)
        self.first = read[0]

    @classmethod
    def parse(cls, text: str, *, setting: str = "keys") -> Self:
        """Read keys from a text, such as a mounted file: one a line. `#` begins a comment line.

        Raises:
            ConfigurationError: see `SigningKeys`.
        """
        lines = (line.strip() for line in text.splitlines())
        return cls(*(line for line in lines if line and line[0] != "#"), setting=setting)

    @classmethod
    def from_env(cls, name: str = "COATCHECK_SIGNING_KEYS") -> Self:
        """Read keys from an environment variable.

        Raises:
            ConfigurationError: it is not set; else see `SigningKeys`.
        """
        if (text := os.environ.get(name)) is None:
            raise ConfigurationError(name, f"is not set; {_HOW}")
        return cls.parse(text, setting=name)

    @staticmethod
    def new_key(algorithm: str = "ES256") -> str:
        """Make a key: a JWK on one line. It is a secret.

        Args:
            algorithm: `ES256`, `EdDSA` (or `Ed25519`, its newer name), `RS256`; `HS256` or `HS512`,
                where who checks tokens may make them as well.

        Raises:
            ConfigurationError: it is none of these.
        """
        if algorithm not in ALGORITHMS:
            raise ConfigurationError("algorithm", f"is none of {', '.join(ALGORITHMS)}")
        return json.dumps(Key.make(ALGORITHMS[algorithm]))

    def find(self, id: str, /) -> Key | None:
        """Return the key of that id, and no other one."""
        return self._keys.get(id)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public halves, to be served as `/.well-known/jwks.json` (RFC 7517 5).

        A symmetric key has none: it is left out.

        Raises:
            ConfigurationError: there are symmetric keys only.
        """
        public = [key.jwk for key in self._keys.values() if not key.algorithm.is_symmetric]
        if not public:
            problem = "are symmetric, which have no public halves: share them with who checks"
            raise ConfigurationError("keys", problem)
        return {"keys": public}

    def __repr__(self) -> str:
        return f"<SigningKeys {', '.join(self._keys)}>"


class PublicKeys:
    """The public keys of who signs, which check and cannot sign.

    Args:
        jwks: a JWK Set, as `SigningKeys.jwks` returns it. Keys for other purposes, and of kinds
            that are not known here, are passed over (RFC 7517 5).

    Raises:
        ConfigurationError: it is none, holds a secret, no key that can be used, or one twice.
    """

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        found = _listed(jwks)
        if len(found) > _MOST:
            raise ConfigurationError("jwks", f"holds {len(found)} keys, over {_MOST}")
        usable: list[Key] = []
        for jwk in found:
            if not _SECRET.isdisjoint(jwk):
                problem = "holds a secret key, which whoever checks tokens must not have"
                raise ConfigurationError("jwks", problem)
            try:
                usable.append(Key.read(jwk))
            except ValueError:
                continue
        if not usable:
            raise ConfigurationError("jwks", "holds no key that is used here")
        self._keys = _by_id(usable, "jwks")

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read a JWK Set from its JSON.

        Raises:
            ConfigurationError: see `PublicKeys`.
        """
        try:
            return cls(members(text.encode() if isinstance(text, str) else text))
        except ValueError as error:
            raise ConfigurationError("jwks", f"cannot be read: {error}") from None

    def find(self, id: str, /) -> Key | None:
        """Return the key of that id, and no other one."""
        return self._keys.get(id)

    def __repr__(self) -> str:
        return f"<PublicKeys {', '.join(self._keys)}>"


def _listed(jwks: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = jwks.get("keys")
    found = cast("list[object]", listed) if isinstance(listed, list) else []
    keys = [cast("dict[str, Any]", each) for each in found if isinstance(each, dict)]
    if not found or len(keys) < len(found):
        raise ConfigurationError("jwks", 'is no JWK Set: an object with a list "keys" of objects')
    return keys


def _members(text: str, setting: str, number: int) -> dict[str, Any]:
    try:
        with hidden():
            return members(text.encode())
    except (ValueError, AttributeError):
        is_pem = str(text).lstrip().startswith("-----BEGIN")
        what = "is PEM, not a JWK" if is_pem else "is no JWK, a JSON object on one line"
        problem = f"key {number} {what}; {_HOW}"
        raise ConfigurationError(setting, problem) from None


def _key(jwk: Mapping[str, Any], setting: str, number: int) -> Key:
    try:
        return Key.read(jwk)
    except ValueError as error:
        raise ConfigurationError(setting, f"key {number} {error}") from None


def _by_id(keys: Iterable[Key], setting: str) -> dict[str, Key]:
    found: dict[str, Key] = {}
    materials = set[str]()
    for key in keys:
        if found.setdefault(key.id, key) is not key:
            raise ConfigurationError(setting, f"names two keys {key.id!r}")
        if key.material in materials:
            raise ConfigurationError(setting, f"holds the key {key.id!r} twice, for two purposes")
        materials.add(key.material)
    return found
