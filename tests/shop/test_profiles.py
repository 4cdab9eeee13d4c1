"""The shop's second factor: a code counts once (RFC 6238 5.2), and few are tried."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from examples.shop import profiles
from examples.shop.clock import VARIABLE

NOW = 1_800_000_000.0


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "clock"))


def test_a_code_counts_once() -> None:
    """Fails when a code is right for as long as its window is open."""
    code = profiles.shown("alice", NOW)
    assert profiles.is_right("alice", code, NOW)
    assert not profiles.is_right("alice", code, NOW)
    assert not profiles.is_right("alice", code, NOW + 30)


def test_an_older_code_than_the_last_is_used_up_with_it() -> None:
    old = profiles.shown("alice", NOW)
    assert profiles.is_right("alice", profiles.shown("alice", NOW + 30), NOW + 30)
    assert not profiles.is_right("alice", old, NOW + 30)


def test_a_code_counts_once_though_it_comes_twice_at_once() -> None:
    code = profiles.shown("alice", NOW)
    with ThreadPoolExecutor(2) as hands:
        sent = [hands.submit(profiles.is_right, "alice", code, NOW) for _ in range(2)]
    assert sorted(each.result() for each in sent) == [False, True]


def test_three_tries_in_half_a_minute_are_all() -> None:
    """Fails when a code is checked before its try is counted."""
    code = profiles.shown("alice", NOW)
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(3):
        assert not profiles.is_right("alice", wrong, NOW)
    assert not profiles.is_right("alice", code, NOW)
    assert profiles.is_right("alice", profiles.shown("alice", NOW + 30), NOW + 30)
    assert profiles.is_right("bob", profiles.shown("bob", NOW), NOW)


def test_a_code_is_its_users() -> None:
    assert not profiles.is_right("bob", profiles.shown("alice", NOW), NOW)


def test_an_address_is_kept() -> None:
    assert profiles.email("alice") == "alice@shop.example"
    profiles.change_email("alice", "alice@home.example")
    assert profiles.email("alice") == "alice@home.example"
    assert profiles.email("bob") == "bob@shop.example"
