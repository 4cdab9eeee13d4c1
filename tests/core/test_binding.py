"""What counts as another client, and how far down the ladder it leads."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck import Action, Binding, Client, Drift, Policy
from coatcheck.core.binding import EVERYTHING, NO_DRIFT, STRONG, actions, compare, differences
from coatcheck.core.profiles import profile
from coatcheck.core.record import NOBODY
from coatcheck.errors import ConfigurationError

HOME = Client("203.0.113.7", "Chrome on Android", "Android (mobile)", "de,en")
ELSEWHERE = Client("198.51.100.9", "Firefox on Windows", "", "fr")
"""No signal is as it is at home."""

CLIENTS = st.builds(
    Client,
    st.sampled_from([None, "203.0.113.7", "203.0.113.8", "198.51.100.9", "2001:db8:1::1", "unix"]),
    st.sampled_from([None, "Chrome on Android", "Chrome on Windows", "Firefox on Windows", "curl"]),
    st.sampled_from([None, "", "Android (mobile)", "Windows"]),
    st.sampled_from([None, "", "de", "de,en", "en", "fr"]),
)
DRIFTS = st.integers(0, EVERYTHING.value).map(Drift)
SCORES = st.lists(st.integers(1, EVERYTHING.score), min_size=3, max_size=3).map(sorted)


@st.composite
def bindings(draw: Any) -> Binding:
    """Every ladder that is allowed, with any of its rungs left out."""
    notify, step_up, end = draw(SCORES)
    least = Drift.ADDRESS.score + 1
    rungs = [notify, max(step_up, least), max(end, least)]
    return Binding(*(rung if draw(st.booleans()) else None for rung in rungs))


@given(CLIENTS, CLIENTS)
def test_it_makes_no_difference_which_of_two_clients_was_first(one: Client, other: Client) -> None:
    assert compare(one, other) is compare(other, one)
    assert compare(one, one) is NO_DRIFT


@given(st.sets(st.sampled_from(list(Drift))), st.sampled_from(list(Drift)))
def test_another_signal_adds_to_the_drift(changed: set[Drift], more: Drift) -> None:
    """Monotone: what changes besides never makes a client more like the one that was."""
    before, after = compare(HOME, changing(changed)), compare(HOME, changing({*changed, more}))
    assert before & after == before
    assert more in after
    assert before.score <= after.score


def changing(signals: set[Drift]) -> Client:
    """Return the client at home with some signals as they are elsewhere."""
    browser = "Firefox" if Drift.BROWSER in signals else "Chrome"
    system = "Windows" if Drift.SYSTEM in signals else "Android"
    return Client(
        (ELSEWHERE if Drift.ADDRESS in signals else HOME).address,
        f"{browser} on {system}",
        (ELSEWHERE if Drift.PLATFORM in signals else HOME).platform,
        (ELSEWHERE if Drift.LANGUAGE in signals else HOME).languages,
    )


@given(bindings(), DRIFTS, DRIFTS)
def test_more_drift_is_never_answered_more_mildly(
    binding: Binding, one: Drift, other: Drift
) -> None:
    assert binding(one) <= binding(one | other)


@given(bindings())
def test_another_address_alone_costs_nobody_the_session(binding: Binding) -> None:
    assert binding(Drift.ADDRESS) <= Action.NOTIFY


def test_nothing_is_done_by_default() -> None:
    assert set(actions(Policy().binding).values()) == {Action.OBSERVE}


def test_the_bank_asks_for_a_proof_where_everything_speaks_of_a_thief() -> None:
    binding = profile("bank").binding
    assert binding(Drift.ADDRESS) is Action.OBSERVE
    assert binding(Drift.LANGUAGE | Drift.ADDRESS) is Action.NOTIFY
    assert binding(Drift.SYSTEM | Drift.PLATFORM) is Action.OBSERVE, "a page asked for as desktop"
    assert binding(STRONG) is Action.STEP_UP
    assert binding(EVERYTHING) is Action.END


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.7", "203.0.113.250", True),
        ("203.0.113.7", "203.0.112.7", False),
        ("203.0.113.7", "::ffff:203.0.113.9", True),
        ("2001:db8:aa:1::1", "2001:db8:aa:ffff:a:b:c:d", True),
        ("2001:db8:aa::1", "2001:db8:ab::1", False),
        ("203.0.113.7", "2001:db8:aa::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("unix", "unix", True),
        ("unix", None, False),
        (None, None, True),
    ],
)
def test_an_address_counts_as_its_network(
    one: str | None, other: str | None, is_same: bool
) -> None:
    drift = compare(HOME._replace(address=one), HOME._replace(address=other))
    assert (drift is NO_DRIFT) == is_same


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("de,en", "en", True),
        ("de,en", "fr,en", True),
        ("de", "en", False),
        ("de", "", False),
        ("", "", True),
        (None, "de", True),
        (None, "", True),
    ],
)
def test_one_language_in_common_is_enough(
    one: str | None, other: str | None, is_same: bool
) -> None:
    drift = compare(HOME._replace(languages=one), HOME._replace(languages=other))
    assert (drift is NO_DRIFT) == is_same


def test_what_is_left_out_is_a_change_and_what_is_not_known_is_none() -> None:
    """Fails when a thief who sends no headers looks like a record of an older version."""
    bare = Client("203.0.113.7", None, "", "")
    assert compare(HOME, bare) == EVERYTHING & ~Drift.ADDRESS
    assert compare(HOME, Client("203.0.113.7", "Chrome on Android")) is NO_DRIFT
    assert compare(NOBODY, ELSEWHERE) is NO_DRIFT


def test_what_is_told_of_a_change_is_no_finer_than_what_is_compared() -> None:
    told = differences(HOME, ELSEWHERE, compare(HOME, ELSEWHERE))
    assert told == {
        "address": "203.0.113.0/24 -> 198.51.100.0/24",
        "browser": "Chrome -> Firefox",
        "system": "Android -> Windows",
        "platform": "Android (mobile) -> none",
        "language": "de,en -> fr",
    }
    assert str(EVERYTHING) == ",".join(told)


def bare(_: Drift) -> Any:
    return 2


def fails(_: Drift) -> Action:
    raise LookupError


WRONG: dict[str, tuple[str, Callable[[], object]]] = {
    "another address alone": ("Binding.step_up", lambda: Binding(step_up=2)),
    "anything at all": ("Binding.end", lambda: Binding(end=1)),
    "end before step up": ("Binding.end", lambda: Binding(step_up=5, end=4)),
    "step up before notify": ("Binding.step_up", lambda: Binding(notify=5, step_up=4)),
    "nothing": ("Binding.notify", lambda: Binding(notify=0)),
    "more than there is": ("Binding.end", lambda: Binding(end=8)),
    "no number": ("Binding.notify", lambda: Binding(notify=True)),
    "no function": ("Policy.binding", lambda: Policy(binding=3)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "no action": ("Policy.binding", lambda: Policy(binding=bare)),
    "fails": ("Policy.binding", lambda: Policy(binding=fails)),
    "replaced": ("Policy.binding", lambda: replace(Policy(), binding=bare)),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_ladder_that_cannot_work_stops_the_start(case: str) -> None:
    setting, make = WRONG[case]
    with pytest.raises(ConfigurationError) as refusal:
        make()
    assert refusal.value.setting == setting


def test_a_function_of_ones_own_may_be_as_strict_as_it_likes() -> None:
    strict = Policy(binding=lambda drift: Action.END if Drift.ADDRESS in drift else Action.OBSERVE)
    assert actions(strict.binding)[Drift.ADDRESS] is Action.END
