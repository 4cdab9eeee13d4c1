"""Session fixation: the victim's login is put into a session whose token the attacker knows.

CVE-2022-25896 (passport), CVE-2023-29019 (@fastify/passport). R-002, R-021, R-022.
"""

from coatcheck import Token
from tests.attacks import defences
from tests.attacks.site import ANON, Defence, Site


def attack_by_login(site: Site) -> bool:
    """Plant a visitor's token of one's own, and use it once the victim has signed in."""
    attacker, victim = site.browser(), site.browser()
    attacker.post("/write", cart="hat")
    planted = attacker.jar.value(ANON)
    assert planted is not None
    victim.hold(planted, ANON).log_in()
    assert victim.user == "alice"
    return "alice" in (site.browser(planted).user, attacker.user)


def attack_by_invention(site: Site) -> bool:
    """Plant a token that nobody ever issued."""
    planted = Token.mint(lambda size: bytes(range(size))).reveal()
    site.browser(planted).log_in()
    return site.browser(planted).user == "alice"


def attack_by_step_up(site: Site) -> bool:
    """Copy the token before a second factor, to have what that opens."""
    victim = site.browser().log_in()
    copied = victim.token
    assert victim.post("/step_up").status == 200
    return site.browser(copied).get("/vault").status == 200


def test_a_planted_session_is_left_at_sign_in(site: Site, defence: Defence) -> None:
    with defence.without(defences.no_rotation_at_sign_in):
        assert attack_by_login(site) is defence.is_off


def test_an_invented_token_is_never_adopted(site: Site, defence: Defence) -> None:
    with defence.without(defences.no_strictness):
        assert attack_by_invention(site) is defence.is_off


def test_a_step_up_leaves_the_token_behind(site: Site, defence: Defence) -> None:
    with defence.without(defences.no_rotation_at_step_up):
        assert attack_by_step_up(site) is defence.is_off
