"""Privilege race: a request of before a privilege change writes into what is more privileged now.

R-025.
"""

from tests.attacks import defences
from tests.attacks.site import Defence, Site


def attack(site: Site) -> bool:
    """Have a write under way, by a copied token, while the victim proves her second factor."""
    victim = site.browser().log_in()
    with site.late(victim.token) as slow:
        assert victim.post("/step_up").status == 200
    assert slow.result(30).all("set-cookie") == []
    assert victim.get("/vault").status == 200
    return "late" in victim.get("/read").json()


def test_privilege_race(site: Site, defence: Defence) -> None:
    with defence.without(defences.lineages_do_not_matter):
        assert attack(site) is defence.is_off
