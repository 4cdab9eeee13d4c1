"""How often something may happen, as whose it counts, and how much memory that takes."""

from datetime import timedelta

import pytest

from coatcheck import Policy, Rate
from coatcheck.core.rates import Counts, Window, counted_as
from coatcheck.errors import ConfigurationError


def test_windows_follow_one_another() -> None:
    rate = Rate(5, per=timedelta(minutes=1))
    assert rate.window(0) == rate.window(59_999) == Window(0, 60_000)
    assert rate.window(60_000) == Window(1, 120_000)
    assert str(rate) == "5 in 1 min"


def test_the_wait_is_whole_seconds_and_never_none() -> None:
    window = Window(0, 60_000)
    assert [window.retry_after(now) for now in (0, 58_999, 59_000, 59_999)] == [60, 2, 1, 1]


@pytest.mark.parametrize(
    ("address", "who"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("2002:c000:201:1::1", "192.0.2.1"),
        ("2002:c000:201:ffff::1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, None),
        ("", None),
    ],
)
def test_a_client_is_one_however_its_address_is_spelled(
    address: str | None, who: str | None
) -> None:
    """CVE-2026-45364. Fails when the text of an address is counted."""
    assert counted_as(address) == who


def test_a_count_is_of_one_window() -> None:
    counts = Counts()
    assert [counts.add("a", window) for window in (7, 7, 8, 8, 7)] == [1, 2, 1, 2, 1]
    assert [counts.add("a", window, 0) for window in (7, 8)] == [1, 0]


def test_a_million_addresses_take_no_more_memory_than_there_is_room() -> None:
    """Fails when nothing is forgotten; and when whoever is counted now is forgotten first."""
    counts = Counts(room=100)
    for n in range(1_000_000):
        counts.add(str(n), 1)
        if n % 50 == 0:
            counts.add("busy", 1)
    assert len(counts) == 100
    assert counts.add("busy", 1) == 20_001


@pytest.mark.parametrize("count", [0, -1, True, 1.5, "5"])
def test_a_rate_of_no_number_is_refused(count: object) -> None:
    with pytest.raises(ConfigurationError, match=r"Rate\.count"):
        Rate(count)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("per", [60, timedelta(0), timedelta(seconds=-1), timedelta(days=2)])
def test_a_rate_in_no_time_is_refused(per: object) -> None:
    with pytest.raises(ConfigurationError, match=r"Rate\.per"):
        Rate(5, per)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("visitor_rate", 60),
        ("sign_in_rate", "60/min"),
        ("guess_rate", 200),
        ("on_guessing", "block"),
        ("max_keys", 0),
        ("max_keys", True),
        ("max_messages", None),
    ],
)
def test_a_policy_refuses_other_limits(setting: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"Policy\.{setting}"):
        Policy(**{setting: value})  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
