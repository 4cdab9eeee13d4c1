"""Secret keys by their ids: the newest is used, the others still count. None for two settings.

A key is written as `cck1_` and 48 characters: base64url of 32 random bytes and a CRC-32, so that a
typing error, a password and an example are told apart from a key before anything is protected by
them. The key itself is used for nothing: each purpose has one derived from it.
"""

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import digest
from itertools import pairwise
from zlib import crc32

from coatcheck.errors import ConfigurationError

PREFIX = "cck1_"
ID_LENGTH = 4
_SPELLING = re.compile(PREFIX + "[A-Za-z0-9_-]{48}", re.ASCII)
_COMMENT = re.compile(r"#.*")
_HOW = "make one with `coatcheck key`, or by Keyring.new_key()"
_ENOUGH = 16  # of 32 random bytes about 30 differ; fewer than 16 in one key of 10**14

_PUBLISHED = {bytes.fromhex("0a121871")}
"""The ids of the keys that stand in the documentation."""
_settings_by_key: dict[bytes, str] = {}
"""Where each key of this process was given, by a digest of it."""


class Keyring:
    """Keys, the newest first: it protects what is written, all of them open what is read.

    Args:
        keys: as `new_key` makes them.
        setting: where they come from, as errors shall call it.

    Raises:
        ConfigurationError: there is none; one is no key, is too regular to be random, stands in
            the documentation, or was given twice, here or by another setting (ASVS 5.0 V13.3.1).
            It names the setting, never the value.
    """

    def __init__(self, *keys: str, setting: str = "keys") -> None:
        self._masters: dict[bytes, bytes] = {}
        if not keys:
            raise ConfigurationError(setting, f"holds no key; {_HOW}")
        digests: list[bytes] = []
        for number, text in enumerate(keys, 1):
            if problem := _problem(text):
                raise ConfigurationError(setting, f"key {number} {problem}")
            master = _raw(text)[:32]
            digests.append(_derived(master, "id"))
            id = digests[-1][:ID_LENGTH]
            if id in _PUBLISHED:
                raise ConfigurationError(setting, f"key {number} is published; {_HOW}")
            if id in self._masters:
                raise ConfigurationError(setting, f"key {number} is there twice")
            self._masters[id] = master
        for each in digests:
            if (other := _settings_by_key.setdefault(each, setting)) != setting:
                raise ConfigurationError(setting, f"holds a key that {other} holds too")

    @classmethod
    def parse(cls, text: str, *, setting: str) -> "Keyring":
        """Read keys from a text, such as a mounted file: one a line, or with commas between.

        What follows a `#` is a comment.

        Raises:
            ConfigurationError: see `Keyring`.
        """
        keys = " ".join(_COMMENT.sub("", line) for line in text.splitlines())
        return cls(*keys.replace(",", " ").split(), setting=setting)

    @classmethod
    def from_env(cls, name: str = "COATCHECK_KEYS") -> "Keyring":
        """Read keys from an environment variable.

        Raises:
            ConfigurationError: it is not set; else see `Keyring`.
        """
        return cls.parse(os.environ.get(name, ""), setting=name)

    @staticmethod
    def new_key() -> str:
        """Make a key: 32 bytes from the system's generator (ASVS 5.0 V11.5.1)."""
        return _text(os.urandom(32))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, the newest first. They follow from the keys and are no secrets."""
        return tuple(id.hex() for id in self._masters)

    def derive(self, purpose: str) -> dict[bytes, bytes]:
        """Return a key of 32 bytes for one purpose from each key, by its id, the newest first.

        Nothing follows from one about another, so one keyring serves several purposes.
        """
        return {id: _derived(master, purpose) for id, master in self._masters.items()}

    def __repr__(self) -> str:
        return f"<Keyring {', '.join(self.ids)}>"


def _derived(master: bytes, purpose: str) -> bytes:
    """HKDF-Expand with SHA-256 to one block (RFC 5869 2.3); a random key needs no extraction."""
    return digest(master, f"coatcheck {purpose}".encode() + b"\x01", "sha256")


def _text(master: bytes) -> str:
    return PREFIX + urlsafe_b64encode(master + crc32(master).to_bytes(4)).decode()


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text.removeprefix(PREFIX))


def _problem(text: object) -> str | None:
    """Tell what keeps a text from being a key."""
    if not isinstance(text, str) or not _SPELLING.fullmatch(text):
        return f"is none: a key is {PREFIX} and 48 characters; {_HOW}"
    raw = _raw(text)
    master = raw[:32]
    if crc32(master).to_bytes(4) != raw[32:]:
        return "has a wrong character, or two changed places"
    return None if is_random(master) else f"is not random; {_HOW}"


def is_random(raw: bytes) -> bool:
    """Tell whether 32 bytes or more could be random: they are neither regular nor a text."""
    steps = {(after - before) % 256 for before, after in pairwise(raw)}
    return min(len(set(raw)), len(steps)) >= _ENOUGH and not _is_text(raw)


def _is_text(raw: bytes) -> bool:
    return raw.isascii() and "".join(raw.decode().splitlines()).isprintable()
