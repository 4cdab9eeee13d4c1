"""An envelope that nobody opens or makes without a key: AES-256-GCM, bound to its record.

A payload is a format byte, the key's id, a nonce of 12 random bytes, the ciphertext and its tag of
16 bytes. What encrypts is derived from the key and from what the payload is bound to, so each
session has a key of its own, and a new one with each privilege change: what one key may encrypt
with random nonces, 2**32 messages (NIST SP 800-38D 8.3), is saves of one session.
"""

import os
from datetime import UTC, datetime
from hmac import digest

from coatcheck.core.envelope import Checked
from coatcheck.errors import ConfigurationError, Undecodable
from coatcheck.keyring import ID_LENGTH, Keyring
from coatcheck.until import checked

_SEALED = b"\x02"  # format 2
_NONCE = 12
_TAG = 16
_HEADER = 1 + ID_LENGTH


class Sealed:
    """An envelope that encrypts (ASVS 5.0 V11.3.2 to V11.3.4): for a store that others can read.

    What is stored can neither be read nor changed, nor moved to another session, nor opened by a
    token that was put in its record. A key that is not in the keyring opens nothing, and none is
    tried: the payload names it.

    Args:
        keyring: its newest key seals, all of them open.
        accept_plain_until: until when records are accepted that are not encrypted, to turn
            encryption on without ending sessions. Until then whoever can write to the store can
            write sessions.

    Raises:
        ConfigurationError: `coatcheck[encryption]` is not installed, or an argument cannot work.
    """

    _purpose = "sealed session"

    def __init__(self, keyring: Keyring, *, accept_plain_until: datetime | None = None) -> None:
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                "envelope", "Sealed needs coatcheck[encryption] installed"
            ) from error
        if not isinstance(keyring, Keyring):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("keyring", f"a {type(keyring).__name__} is no Keyring")
        self._cipher, self._invalid = AESGCM, InvalidTag
        self._keys = keyring.derive(self._purpose)
        id, self._newest = next(iter(self._keys.items()))
        self._header = _SEALED + id
        self._plain_until = accept_plain_until and checked(
            accept_plain_until, what="session records that are not encrypted"
        )

    @property
    def plain_until(self) -> datetime | None:
        """Until when records are accepted that are not encrypted."""
        return self._plain_until

    def wrap(self, content: bytes, about: bytes, /) -> bytes:
        """Return header, nonce and ciphertext. `about` is bound as associated data."""
        nonce = os.urandom(_NONCE)
        cipher = self._cipher(digest(self._newest, about, "sha256"))
        return self._header + nonce + cipher.encrypt(nonce, content, self._header + about)

    def unwrap(self, payload: bytes, about: bytes, /) -> bytes:
        """Decrypt the content."""
        header = payload[:_HEADER]
        if header[:1] != _SEALED:
            return self._plain(payload, about)
        if (key := self._keys.get(header[1:])) is None:
            raise Undecodable(f"payload is sealed by key {header[1:].hex()}, which is not known")
        if len(payload) < _HEADER + _NONCE + _TAG:
            raise Undecodable("payload is cut off")
        cipher = self._cipher(digest(key, about, "sha256"))
        nonce, sealed = payload[_HEADER : _HEADER + _NONCE], payload[_HEADER + _NONCE :]
        try:
            return cipher.decrypt(nonce, sealed, header + about)
        except self._invalid:
            raise Undecodable("payload is forged, damaged, or belongs to another record") from None

    def key_id(self, payload: bytes, /) -> str | None:
        """Return the id of the key that sealed it, as in `Keyring.ids`."""
        return payload[1:_HEADER].hex() if payload[:1] == _SEALED else None

    def _plain(self, payload: bytes, about: bytes) -> bytes:
        if self._plain_until is None or datetime.now(UTC) >= self._plain_until:
            raise Undecodable("payload is not sealed")
        return Checked().unwrap(payload, about)
