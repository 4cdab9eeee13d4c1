"""R-032, M17: a profile's ceilings hold unless a reason is given, which is then told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import Action, Binding, Drift, Policy, describe_policy, profile
from coatcheck.core.binding import EVERYTHING
from coatcheck.core.profiles import PROFILES, Judged
from coatcheck.errors import ConfigurationError
from coatcheck.web import CookieTransport

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STRICT = CookieTransport(same_site="Strict")
REASON = "night shifts; accepted by the risk board"


@pytest.mark.parametrize(
    ("name", "setting", "ceiling"),
    [
        ("aal1", "absolute", 30 * DAY),
        ("aal2", "absolute", 24 * HOUR),
        ("aal2", "idle", HOUR),
        ("aal3", "absolute", 12 * HOUR),
        ("aal3", "idle", 15 * MINUTE),
        ("bank", "absolute", 12 * HOUR),
        ("bank", "idle", 15 * MINUTE),
    ],
)
def test_a_ceiling_holds_to_the_second(name: str, setting: str, ceiling: timedelta) -> None:
    assert getattr(profile(name), setting) <= ceiling
    at: dict[str, Any] = {setting: ceiling}
    assert getattr(profile(name, **at), setting) == ceiling
    above: dict[str, Any] = {setting: ceiling + timedelta(seconds=1)}
    with pytest.raises(ConfigurationError, match=rf"profile {name} asks for at most .*NIST") as no:
        profile(name, **above)
    assert no.value.setting == f"Policy.{setting}"
    with pytest.raises(ConfigurationError):
        replace(profile(name), **above)
    kept = profile(name, **above, because={setting: REASON})
    (line,) = describe_policy(kept).exceeded
    assert (line.setting, line.reason) == (setting, REASON)
    assert REASON in str(describe_policy(kept))


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_within_its_own_ceilings(name: str) -> None:
    told = describe_policy(profile(name), CookieTransport.of(profile(name)))
    assert told.profile == name
    assert told.exceeded == ()
    assert Judged.UNKNOWN not in {line.judged for line in told.lines}


def test_stricter_is_always_allowed() -> None:
    assert profile("bank", idle=MINUTE, absolute=HOUR).idle == MINUTE
    assert profile("aal1", binding=Binding(end=3)).binding(EVERYTHING) is Action.END


WEAKER: dict[str, Any] = {
    "same_site": CookieTransport(),
    "max_age": CookieTransport(same_site="Strict", max_age=HOUR),
    "http_only": CookieTransport(same_site="Strict", http_only=False),
    "secure": CookieTransport("sid", "anon", same_site="Strict", secure=False),
    "domain": CookieTransport(
        "__Secure-sid", "__Secure-anon", same_site="Strict", domain="shop.example.com"
    ),
}


@pytest.mark.parametrize("setting", WEAKER)
def test_the_bank_wants_strict_cookies(setting: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigurationError, match="profile bank") as refusal:
        WEAKER[setting].check(profile("bank"))
    assert refusal.value.setting == setting
    policy = profile("bank", because={setting: REASON})
    WEAKER[setting].check(policy)
    assert REASON in caplog.text
    assert [line.setting for line in describe_policy(policy, WEAKER[setting]).exceeded] == [setting]
    STRICT.check(profile("bank"))
    WEAKER[setting].check(Policy())


def tells(_: Drift) -> Action:
    return Action.NOTIFY


def ends(_: Drift) -> Action:
    return Action.END


def test_the_bank_wants_a_proof_from_another_client() -> None:
    """Any function is asked what it does, so that none is taken for strict by its type."""
    for mild in (Binding(), Binding(notify=1), tells):
        with pytest.raises(ConfigurationError, match="a new proof when") as refusal:
            profile("bank", binding=mild)
        assert refusal.value.setting == "Policy.binding"
    assert profile("bank", binding=ends).binding is ends
    assert profile("bank", binding=tells, because={"binding": REASON}).binding is tells


@pytest.mark.parametrize(
    ("setting", "name", "because"),
    [
        ("profile", "AAL4", {}),
        ("because", "aal2", {"idle": " "}),
        ("because", "aal2", {"idel": REASON}),
        ("because", "aal1", {"idle": REASON}),
    ],
)
def test_what_is_no_override_is_refused(setting: str, name: str, because: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        profile(name, because=because)
    assert refusal.value.setting == setting


def test_every_setting_of_a_policy_is_described() -> None:
    told = describe_policy(profile("bank"), STRICT)
    assert {"idle", "absolute", "touch_share", "max_size", "binding", "same_site"} <= {
        line.setting for line in told.lines
    }
    assert "idle               15 min" in str(told)
    assert "NIST SP 800-63B-4 2.3.3" in str(told)
    assert "cookie same_site   Strict" in str(told)


def test_without_a_profile_everything_is_told_and_nothing_judged() -> None:
    told = describe_policy(Policy())
    assert told.profile is None
    assert {line.judged for line in told.lines} == {Judged.FREE}
    assert str(told).startswith("profile none\n")


def test_what_nobody_showed_is_not_said_to_be_met() -> None:
    told = [line for line in describe_policy(profile("bank")).lines if line.of == "Cookie"]
    assert len(told) == 5
    assert {line.judged for line in told} == {Judged.UNKNOWN}
