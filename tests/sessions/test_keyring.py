"""Keys: which are taken, which stop the start, and that no error holds one."""

import os
import re
from base64 import urlsafe_b64encode
from hashlib import shake_256
from pathlib import Path
from zlib import crc32

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from coatcheck import Keyring
from coatcheck.errors import ConfigurationError

ROOT = Path(__file__).parents[2]
WRITTEN = re.compile(r"cck1_[A-Za-z0-9_-]{48}")


def spelled(master: bytes) -> str:
    return "cck1_" + urlsafe_b64encode(master + crc32(master).to_bytes(4)).decode()


GOOD = Keyring.new_key()
WEAK = {
    "empty": "",
    "default": "changeme",
    "8 bytes": "s3cr3t!!",
    "32 bytes in hexadecimal": os.urandom(32).hex(),
    "another spelling": GOOD.replace("cck1_", "cck2_"),
    "cut": GOOD[:-1],
    "followed by a line": GOOD + "\n",
    "a typing error": GOOD[:20] + ("A" if GOOD[20] != "A" else "B") + GOOD[21:],
    "characters that changed places": spelled(shake_256(b"x").digest(32))[:5]
    + "".join(reversed(spelled(shake_256(b"x").digest(32))[5:])),
    "zeros": spelled(bytes(32)),
    "a pattern": spelled(b"\x8a\x01\xf3\x77" * 8),
    "a sequence": spelled(bytes(range(200, 232))),
    "a password": spelled(b"correct horse battery staple 123"),
}


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_a_weak_key_stops_the_start_by_its_setting_and_is_not_repeated(key: str) -> None:
    """R-017. Fails for each when its check is left out."""
    with pytest.raises(ConfigurationError) as wrong:
        Keyring(Keyring.new_key(), key, setting="SHOP_KEYS")
    assert wrong.value.setting == "SHOP_KEYS"
    assert "key 2" in str(wrong.value)
    assert not key or key[5:15] not in str(wrong.value)


def test_a_key_that_is_no_text_is_not_repeated_either() -> None:
    secret = os.urandom(32)
    with pytest.raises(ConfigurationError) as wrong:
        Keyring(secret)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert repr(secret)[2:8] not in str(wrong.value)


def published() -> dict[str, str]:
    """Every key that stands in the repository, and where."""
    folders = ("src", "docs", "examples", "deploy", "tests", "bench", "tools", "requirements")
    pages = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    found: dict[str, str] = {}
    for path in [*ROOT.glob("*.*"), *pages]:
        if path.is_file() and path.suffix not in (".png", ".pyc"):
            keys = WRITTEN.findall(path.read_text(errors="replace"))
            found.update(dict.fromkeys(keys, str(path.relative_to(ROOT))))
    return found


def test_a_key_that_stands_in_this_repository_is_refused() -> None:
    """R-017: as CVE-2023-27524. Fails when a page shows a key that is not in the list."""
    keys = published()
    assert "docs/how-to/encrypt.md" in keys.values()
    for key in keys:
        with pytest.raises(ConfigurationError, match="published"):
            Keyring(key)


def test_one_key_for_two_settings_is_refused() -> None:
    """R-017: fails when nobody remembers which setting a key came from."""
    shared = Keyring.new_key()
    Keyring(Keyring.new_key(), shared, setting="SESSION_KEYS")
    Keyring(shared, setting="SESSION_KEYS")  # the application made anew, as tests do
    with pytest.raises(ConfigurationError, match="SESSION_KEYS") as wrong:
        Keyring(shared, setting="LINK_KEYS")
    assert wrong.value.setting == "LINK_KEYS"
    assert shared not in str(wrong.value)


def test_a_key_that_is_there_twice_is_refused() -> None:
    key = Keyring.new_key()
    with pytest.raises(ConfigurationError, match="twice"):
        Keyring(key, Keyring.new_key(), key)


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"keys: holds no key; make one"):
        Keyring()


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = Keyring.new_key(), Keyring.new_key()
    monkeypatch.setenv("SHOP_KEYS", f" {new}, {old} ")
    assert Keyring.from_env("SHOP_KEYS").ids == Keyring(new, old, setting="SHOP_KEYS").ids
    for empty in ("", " ", ","):
        monkeypatch.setenv("COATCHECK_KEYS", empty)
        with pytest.raises(ConfigurationError) as wrong:
            Keyring.from_env()
        assert wrong.value.setting == "COATCHECK_KEYS"
    monkeypatch.delenv("COATCHECK_KEYS")
    with pytest.raises(ConfigurationError, match="COATCHECK_KEYS"):
        Keyring.from_env()


def test_keys_come_from_the_text_of_a_file() -> None:
    new, old = Keyring.new_key(), Keyring.new_key()
    text = f"# the newest first\n{new}  # since December\n\n{old}\n"
    keyring = Keyring.parse(text, setting="/run/secrets/keys")
    assert keyring.ids == Keyring(new, old, setting="/run/secrets/keys").ids


def test_a_keyring_shows_ids_only() -> None:
    new, old = Keyring.new_key(), Keyring.new_key()
    keyring = Keyring(new, old)
    assert repr(keyring) == f"<Keyring {keyring.ids[0]}, {keyring.ids[1]}>"
    assert all(re.fullmatch("[0-9a-f]{8}", id) for id in keyring.ids)


def test_each_purpose_has_a_key_of_its_own_by_hkdf() -> None:
    """RFC 5869 2.3, as another implementation has it."""
    keyring = Keyring(GOOD)
    master = keyring._masters[bytes.fromhex(keyring.ids[0])]  # pyright: ignore[reportPrivateUsage]
    (key,) = keyring.derive("tickets").values()
    assert key == HKDFExpand(SHA256(), 32, b"coatcheck tickets").derive(master)
    (other,) = keyring.derive("sealed session").values()
    assert len({key, other, master}) == 3


def test_new_keys_are_taken_and_differ() -> None:
    keys = [Keyring.new_key() for _ in range(1_000)]
    assert len(set(Keyring(*keys).ids)) == len(set(keys)) == 1_000
