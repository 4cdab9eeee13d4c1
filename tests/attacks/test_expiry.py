"""Expiry that is not enforced, or granted anew when a session is loaded and saved.

CVE-2024-35220 (@fastify/session). R-030, R-031, R-033, R-035. Nothing is swept in these tests.
"""

from datetime import timedelta

from coatcheck import Policy
from tests.attacks import defences
from tests.attacks.site import Defence, Site


def attack_idle(site: Site) -> bool:
    """Come back for a session that was left open."""
    token = site.browser().log_in().token
    site.clock.move(minutes=31)
    return site.browser(token).user == "alice"


def attack_after_a_restart(site: Site) -> bool:
    """Come back when the application has been given longer timeouts."""
    token = site.browser().log_in().token
    site.deploy(policy=Policy(idle=timedelta(hours=12)))
    site.clock.move(minutes=31)
    return site.browser(token).user == "alice"


def attack_by_activity(site: Site) -> bool:
    """Keep a session alive for longer than it may live."""
    attacker = site.browser().log_in()
    for turn in range(13 * 3):
        attacker.post("/write", turn=str(turn))
        site.clock.move(minutes=20)
    return attacker.user == "alice"


def test_an_idle_session_is_over(site: Site, defence: Defence) -> None:
    with defence.without(defences.expired_sessions_count):
        assert attack_idle(site) is defence.is_off


def test_what_was_granted_stands(site: Site, defence: Defence) -> None:
    with defence.without(defences.expired_sessions_count):
        assert attack_after_a_restart(site) is defence.is_off


def test_activity_postpones_no_absolute_end(site: Site, defence: Defence) -> None:
    with defence.without(defences.each_save_grants_a_new_lifetime):
        assert attack_by_activity(site) is defence.is_off
