"""The token of forms: masked, of one lineage, whole or nothing."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.core.csrf import fits, issue
from coatcheck.core.token import new_lineage


def counted(size: int) -> bytes:
    """Stand in for chance where it names a test, which has the same name in each run."""
    return bytes(range(size))


LINEAGE, OTHER = new_lineage(counted), new_lineage(os.urandom)


def test_each_is_spelled_differently_and_all_are_good() -> None:
    """R-070: BREACH needs a secret that is the same in many responses. Fails without the pad."""
    tokens = {issue(LINEAGE, os.urandom) for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert all(fits(LINEAGE, token) for token in tokens)
    for at in range(42):
        assert len({token[at] for token in tokens}) > 50, "no place shows anything of the secret"


def test_it_is_of_one_lineage() -> None:
    """R-065, R-066: another session's is none, nor is one from before a privilege change."""
    assert not fits(OTHER, issue(LINEAGE, os.urandom))


def test_it_holds_nothing_of_the_lineage() -> None:
    assert LINEAGE not in issue(LINEAGE, bytes)


TOKEN = issue(LINEAGE, counted)


@pytest.mark.parametrize(
    "token",
    ["", None, 0, [TOKEN], TOKEN.encode(), {"token": TOKEN}, TOKEN[:-1], TOKEN[1:], TOKEN + "A",
     TOKEN + "=", TOKEN + "\n", f" {TOKEN}", TOKEN + TOKEN, "A" * 43, "é" * 43, "\0" * 43],
)  # fmt: skip
def test_anything_but_a_whole_one_is_none(token: Any) -> None:
    """R-065: empty, truncated, an array. A pad of zeros with nothing under it is not the secret."""
    assert fits(LINEAGE, TOKEN)
    assert not fits(LINEAGE, token)


def test_one_character_changed_is_another_token() -> None:
    for at in range(43):
        changed = TOKEN[:at] + ("A" if TOKEN[at] != "A" else "E") + TOKEN[at + 1 :]
        assert not fits(LINEAGE, changed)


@given(st.text())
def test_nothing_made_up_fits_or_fails(text: str) -> None:
    assert not fits(LINEAGE, text)
