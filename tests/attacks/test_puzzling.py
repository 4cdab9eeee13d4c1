"""Session puzzling: what one page leaves in a session is taken for a login by another.

CWE-501, CWE-841. R-009, R-074.
"""

from collections.abc import Callable

import pytest

from coatcheck import Policy
from tests.attacks import defences
from tests.attacks.pages import CODE
from tests.attacks.site import ANON, SID, Browser, Defence, Site


def half_a_login(site: Site) -> Browser:
    """Know the victim's password, and not her second factor."""
    attacker = site.browser()
    assert attacker.post("/first_factor").status == 200
    return attacker


def a_forgotten_password(site: Site) -> Browser:
    """Say that one is alice, and has forgotten her password."""
    attacker = site.browser()
    assert attacker.post("/forgot").status == 200
    return attacker


def attack(attacker: Browser) -> bool:
    """Go where only users may go, as a visitor and by the name of a user's cookie."""
    token = attacker.jar.value(ANON)
    assert token is not None
    return "alice" in (attacker.user, attacker.hold(token, SID).user)


def attack_the_second_factor(site: Site) -> bool:
    """Try codes until one is right."""
    attacker = half_a_login(site)
    for code in [*(str(100_000 + number) for number in range(8)), CODE]:
        attacker.post("/second_factor", code=code)
    return attacker.user == "alice"


@pytest.mark.parametrize("begin", [half_a_login, a_forgotten_password])
def test_puzzling(site: Site, defence: Defence, begin: Callable[[Site], Browser]) -> None:
    with defence.without(defences.one_factor_is_enough):
        assert attack(begin(site)) is defence.is_off


def test_guessing_the_second_factor(site: Site, defence: Defence) -> None:
    site.deploy(policy=Policy(factor_attempts=1_000 if defence.is_off else 5))
    assert attack_the_second_factor(site) is defence.is_off
