"""Personal responses, or a `Set-Cookie`, that a shared cache hands to somebody else.

CVE-2023-30861 and CVE-2026-27205 (Flask). R-077, R-078, R-079.
"""

from tests.attacks import defences
from tests.attacks.cache import Cache
from tests.attacks.pages import LOOKS
from tests.attacks.site import Browser, Defence, Site


def attack(site: Site, path: str, **query: str) -> bool:
    """Ask a cache for what it has just fetched for the victim."""
    cache, victim = Cache(), site.browser().log_in()
    shown = cache.get(victim, path, **query)
    assert shown.status == 200
    return any(cache.get(each, path, **query) is shown for each in (site.browser(), _other(site)))


def attack_by_cookie(site: Site) -> bool:
    """Be given the `Set-Cookie` of somebody else."""
    cache = Cache()
    given = cache.get(site.browser(), "/promoted").all("set-cookie")
    assert given
    return cache.get(site.browser(), "/promoted").all("set-cookie") == given


def test_every_look_is_told_to_caches(site: Site, defence: Defence) -> None:
    with defence.without(defences.no_headers_for_caches):
        leaking = [how for how in LOOKS if attack(site, "/look", how=how)]
    assert leaking == (list(LOOKS) if defence.is_off else [])


def test_no_look_goes_unnoticed(site: Site, defence: Defence) -> None:
    with defence.without(defences.looks_that_nobody_notices):
        leaking = [how for how in ("in", "len") if attack(site, "/look", how=how)]
    assert leaking == (["in", "len"] if defence.is_off else [])


def test_no_cookie_is_kept(site: Site, defence: Defence) -> None:
    with defence.without(defences.no_headers_for_caches):
        assert attack_by_cookie(site) is defence.is_off


def test_the_cache_keeps_what_is_for_everybody(site: Site) -> None:
    """A cache that kept nothing would prove nothing."""
    assert attack(site, "/home")


def _other(site: Site) -> Browser:
    return site.browser().log_in("mallory")
