"""Incomplete revocation: a session outlives the logout, the password or the account.

CVE-2023-40273 (Airflow), CVE-2024-31999 (@fastify/secure-session). R-024, R-036, R-038,
R-039, R-043, R-082.
"""

from collections.abc import Callable

import pytest

from coatcheck import Policy
from tests.attacks import defences
from tests.attacks.site import Defence, Site


def after_logout(site: Site) -> bool:
    """Keep a copy of the cookie."""
    victim = site.browser().log_in()
    copied = victim.token
    victim.post("/logout")
    assert victim.cookie == ""
    return site.browser(copied).user == "alice"


def after_another_password(site: Site) -> bool:
    """Be signed in with the password that the victim changes."""
    attacker, victim = site.browser().log_in(), site.browser().log_in()
    assert victim.post("/password").status == 200
    assert victim.user == "alice"
    return attacker.user == "alice"


def after_the_account(site: Site) -> bool:
    """Stay signed in to an account that is disabled."""
    attacker = site.browser().log_in("mallory")
    assert site.browser().post("/disable", who="mallory").status == 200
    return attacker.user == "mallory"


def on_a_forgotten_device(site: Site) -> bool:
    """Be the device that the victim has not used for long, while she signs in on others."""
    forgotten = site.browser().log_in()
    for _ in range(3):
        site.browser().log_in()
    return forgotten.user == "alice"


@pytest.mark.parametrize("attack", [after_logout, after_another_password, after_the_account])
def test_revocation(site: Site, defence: Defence, attack: Callable[[Site], bool]) -> None:
    with defence.without(defences.ends_in_the_browser_alone):
        assert attack(site) is defence.is_off


def test_a_user_has_so_many_sessions(site: Site, defence: Defence) -> None:
    site.deploy(policy=Policy(max_sessions=None if defence.is_off else 3))
    assert on_a_forgotten_device(site) is defence.is_off
