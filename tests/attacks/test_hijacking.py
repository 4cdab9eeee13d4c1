"""Hijacking: a copied cookie is used beside its owner, or after her.

R-027, R-028, R-071.
"""

from datetime import timedelta
from typing import Literal

import pytest

from coatcheck import Binding, Happened, Policy
from tests.attacks.site import Browser, Defence, Site

ELSEWHERE = {
    "User_Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36",
    "Accept_Language": "ru",
    "Sec_CH_UA_Platform": '"Windows"',
    "X_Forwarded_For": "203.0.113.9",
}


def attack(site: Site) -> bool:
    """Use a copied cookie in one's own browser, on one's own line."""
    victim = site.browser().log_in()
    return site.browser(victim.token, **ELSEWHERE).user == "alice"


def attack_later(site: Site) -> bool:
    """Use a copied cookie when the victim's token has been renewed."""
    victim = site.browser().log_in()
    thief = site.browser(victim.token)
    _work(site, victim)
    return thief.user == "alice"


def attack_ahead(site: Site) -> bool:
    """Have one's own copy renewed before the victim comes back."""
    victim = site.browser().log_in()
    thief = site.browser(victim.token)
    _work(site, thief)
    assert victim.user is None
    return thief.user == "alice"


def _work(site: Site, browser: Browser) -> None:
    """Get a new token if there is one, use it, and let the old one's grace pass."""
    site.clock.move(minutes=16)
    assert browser.user == "alice"
    assert browser.user == "alice"
    site.clock.move(minutes=2)


@pytest.mark.parametrize("ladder", [Binding(step_up=3), Binding(end=3)], ids=["step up", "end"])
def test_another_client(site: Site, defence: Defence, ladder: Binding) -> None:
    site.deploy(policy=Policy(binding=Binding() if defence.is_off else ladder))
    assert attack(site) is defence.is_off
    assert site.happened(Happened.BINDING_CHANGED)


def test_a_copy_from_before_a_renewal(site: Site, defence: Defence) -> None:
    site.deploy(policy=Policy(renew_after=None if defence.is_off else timedelta(minutes=15)))
    assert attack_later(site) is defence.is_off
    assert bool(site.happened(Happened.REPLAYED)) is not defence.is_off


def test_a_copy_that_is_renewed_first(site: Site, defence: Defence) -> None:
    on_replay: Literal["end", "report"] = "report" if defence.is_off else "end"
    site.deploy(policy=Policy(on_replay=on_replay))
    assert attack_ahead(site) is defence.is_off
    assert site.happened(Happened.REPLAYED)
