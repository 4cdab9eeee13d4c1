"""Resurrection: a request that began before the end of a session saves it after.

CVE-2025-46336 (rack-session). R-025, R-029.
"""

from tests.attacks import defences
from tests.attacks.site import Defence, Site


def attack(site: Site) -> bool:
    """Have a slow request under way while the victim logs out."""
    victim = site.browser().log_in()
    copied = victim.token
    with site.late(copied) as slow:
        assert victim.post("/logout").status == 200
    assert slow.result(30).all("set-cookie") == []
    return site.browser(copied).user == "alice"


def test_resurrection(site: Site, defence: Defence) -> None:
    with defence.without(defences.unconditional_saves):
        assert attack(site) is defence.is_off
        assert bool(site.stored.all()) is defence.is_off
