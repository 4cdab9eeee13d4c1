"""Cross-site requests: a page of the attacker makes the victim's browser act, with her cookies.

CVE-2023-29020 (@fastify/passport). R-037, R-065 to R-069. The browser is one that sends its cookies
along, as `SameSite=None`, an old one, or a form of another host of the site has it.
"""

import pytest

from coatcheck import Happened
from coatcheck.web import CSRF
from tests.attacks import defences
from tests.attacks.site import ANON, Defence, Site

FORGED = {
    "cross-site": ("Sec-Fetch-Site", "cross-site"),
    "same-site": ("Sec-Fetch-Site", "same-site"),
    "another origin": ("Origin", "https://evil.example"),
    "no origin": ("Origin", "null"),
    "a longer host": ("Origin", "https://shop.example.com.evil.example"),
    "plain HTTP": ("Origin", "http://shop.example.com"),
    "another port": ("Origin", "https://shop.example.com:8443"),
    "another referrer": ("Referer", "https://evil.example/shop.example.com"),
}


def off(defence: Defence) -> CSRF | None:
    return CSRF(off="under attack") if defence.is_off else None


def attack(site: Site, header: tuple[str, str]) -> bool:
    """Have the victim's browser send a form."""
    victim = site.browser().log_in()
    return victim.post("/transfer", header).status == 200


def attack_login(site: Site) -> bool:
    """Log the victim in as oneself, to see what she then does."""
    victim = site.browser()
    victim.post("/login", FORGED["cross-site"], **{"as": "mallory"})
    return victim.user == "mallory"


def attack_logout(site: Site) -> bool:
    """Log the victim out."""
    victim = site.browser().log_in()
    victim.post("/logout", FORGED["cross-site"])
    return victim.user is None


def attack_with_own_token(site: Site) -> bool:
    """Put a token of one's own session into the form."""
    token = site.browser().log_in("mallory").get("/form").json()["token"]
    victim = site.browser().log_in()
    return victim.post("/transfer", ("X-CSRF-Token", token)).status == 200


def attack_with_planted_token(site: Site) -> bool:
    """Plant a visitor's session, whose token is to be good after the victim's login as well."""
    attacker, victim = site.browser(), site.browser()
    token = attacker.get("/form").json()["token"]
    planted = attacker.jar.value(ANON)
    assert planted is not None
    victim.hold(planted, ANON).log_in()
    return victim.post("/transfer", ("X-CSRF-Token", token)).status == 200


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED.keys())
def test_forged_requests(site: Site, defence: Defence, header: tuple[str, str]) -> None:
    site.deploy({"csrf": off(defence)})
    assert attack(site, header) is defence.is_off
    assert bool(site.happened(Happened.CSRF_REFUSED)) is not defence.is_off


def test_forged_logins(site: Site, defence: Defence) -> None:
    site.deploy({"csrf": off(defence)})
    assert attack_login(site) is defence.is_off


def test_forged_logouts(site: Site, defence: Defence) -> None:
    site.deploy({"csrf": off(defence)})
    assert attack_logout(site) is defence.is_off


def test_tokens_of_another_session(site: Site, defence: Defence) -> None:
    site.deploy({"csrf": CSRF(strict=True)})
    with defence.without(defences.any_form_token_counts):
        assert attack_with_own_token(site) is defence.is_off


def test_tokens_from_before_the_login(site: Site, defence: Defence) -> None:
    site.deploy({"csrf": CSRF(strict=True)})
    with defence.without(defences.any_form_token_counts):
        assert attack_with_planted_token(site) is defence.is_off
