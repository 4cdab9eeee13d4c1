"""The token: random, opaque, accepted in one spelling, silent."""

import base64
import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.core.token import LENGTH, Token

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def secret_bytes(token: Token) -> bytes:
    return base64.urlsafe_b64decode(token.secret + "=")


def test_ten_thousand_secrets_differ_and_have_no_structure() -> None:
    """R-001: 256 bits each, every bit set about half the time."""
    secrets = [secret_bytes(Token.mint(os.urandom)) for _ in range(10_000)]
    assert len(set(secrets)) == 10_000
    assert {len(secret) for secret in secrets} == {32}
    for bit in range(256):
        ones = sum(secret[bit // 8] >> bit % 8 & 1 for secret in secrets)
        assert 4_700 < ones < 5_300  # six standard deviations


def test_the_randomness_given_is_all_there_is_to_it() -> None:
    """R-001: no clock, no counter, no other generator takes part."""
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    assert Token.mint(random) == Token.mint(random)
    assert asked[:3] == [16, 16, 32]


def test_what_is_minted_is_accepted() -> None:
    token = Token.mint(os.urandom)
    assert Token.parse(token.reveal()) == token
    assert len(token.reveal()) == LENGTH


def test_a_new_lineage_keeps_the_id_and_shares_nothing_else() -> None:
    old = Token.mint(os.urandom)
    new = Token.mint(os.urandom, old.id)
    assert new.id == old.id
    assert new.lineage != old.lineage
    assert new.secret != old.secret


def test_every_part_has_one_spelling_only() -> None:
    """R-004: the unused bits of a part's last character must be zero, or one secret had four."""
    text = Token.mint(os.urandom).reveal()
    for end, spare in ((21, 4), (44, 4), (88, 2)):
        value = DIGITS.index(text[end])
        for other in range(value + 1, value + (1 << spare)):
            assert Token.parse(text[:end] + DIGITS[other] + text[end + 1 :]) is None


NOT_TOKENS: dict[str, Callable[[str], str]] = {
    "padded": lambda text: text + "=",
    "space before": lambda text: " " + text,
    "line after": lambda text: text + "\n",
    "percent-encoded": lambda text: text.replace(".", "%2E"),
    "empty part": lambda text: text.replace(".", ".."),
    "too short": lambda text: text[:-1],
    "kelvin sign": lambda text: "\u212a" + text[1:],
    "look-alike dot": lambda text: text.replace(".", "\u2024"),
    "NUL": lambda text: text[:-1] + "\x00",
    "empty": lambda _: "",
    "path": lambda _: "../../x",
    "SQL": lambda _: "' OR 1=1",
    "pattern": lambda _: "a*",
    "long": lambda _: "A" * 10_000,
}


@pytest.mark.parametrize("spoil", NOT_TOKENS.values(), ids=NOT_TOKENS)
def test_anything_else_is_no_token(spoil: Callable[[str], str]) -> None:
    """R-003, R-004."""
    assert Token.parse(spoil(Token.mint(os.urandom).reveal())) is None


@given(st.text(max_size=100))
def test_arbitrary_text_is_no_token_and_no_error(text: str) -> None:
    assert Token.parse(text) is None


def test_a_token_never_shows_its_secrets_by_accident() -> None:
    """R-107: fails when `__repr__` is left to the dataclass."""
    token = Token.mint(os.urandom)
    shown = [repr(token), str(token), f"{token}", f"{token!r}", str([token]), repr({"t": token})]
    for text in shown:
        assert token.secret not in text
        assert token.lineage not in text
        assert token.id in text


def test_digests_tell_nothing_of_the_secrets() -> None:
    """R-010."""
    token = Token.mint(os.urandom)
    digests = token.digests()
    assert (len(digests.lineage), len(digests.secret)) == (16, 32)
    assert digests.secret != secret_bytes(token)
    assert token.digests() == digests
