"""Cookie tossing: a sibling subdomain, or the way cookies are parsed, decides whose session counts.

CVE-2016-7401 (Django), CVE-2023-23934 (Werkzeug), CVE-2026-28779 (Airflow). R-058 to R-061.
"""

from coatcheck.testing.drivers import HOST
from coatcheck.web import CookieTransport
from tests.attacks import defences
from tests.attacks.site import SID, Defence, Site

SIBLING = "blog.example.com"
"""A host beside the application's, in other hands."""


def attack_from_a_sibling(site: Site, name: str) -> bool:
    """Put one's own session into the victim's browser, from another host of the domain."""
    attacker, victim = site.browser().log_in("mallory"), site.browser()
    token = attacker.jar.value(name)
    line = f"{name}={token}; Domain=example.com; Path=/; Secure"
    victim.jar.store(line, host=SIBLING)
    return victim.user == "mallory"


def attack_without_a_name(site: Site) -> bool:
    """The same by a cookie without a name, whose value looks like one with a name.

    Browsers of today refuse it; those that do not send it so.
    """
    token = site.browser().log_in("mallory").token
    replies = [
        site.browser().get("/me", ("Cookie", cookie))
        for cookie in (f"={SID}={token}", f"=={SID}={token}", f"a=b; ={SID}={token}")
    ]
    return any(reply.status == 200 for reply in replies)


def attack_by_doubling(site: Site) -> bool:
    """Put one's own session before or behind the victim's."""
    mine, theirs = (site.browser().log_in(who).token for who in ("mallory", "alice"))
    replies = [
        site.browser().get("/me", ("Cookie", f"{SID}={first}; {SID}={second}"))
        for first, second in ((mine, theirs), (theirs, mine))
    ]
    return any(reply.status == 200 for reply in replies)


def attack_by_quotes(site: Site) -> bool:
    """Hide the victim's session between two cookies of one's own: she is logged out."""
    victim = site.browser().log_in()
    hidden = victim.get("/me", ("Cookie", f'a="x; {victim.cookie}; b=y"'))
    assert hidden.status in (200, 401)
    return hidden.status != 200


def test_names_that_no_sibling_can_set(site: Site, defence: Defence) -> None:
    """`__Host-` names are the default; what has none is a setting."""
    name = "sid" if defence.is_off else SID
    site.deploy({"transport": CookieTransport(name, "anon") if defence.is_off else None})
    assert attack_from_a_sibling(site, name) is defence.is_off


def test_a_cookie_without_a_name_has_none(site: Site, defence: Defence) -> None:
    with defence.without(defences.nameless_cookies_are_named):
        assert attack_without_a_name(site) is defence.is_off


def test_two_cookies_of_one_name_count_for_nobody(site: Site, defence: Defence) -> None:
    with defence.without(defences.one_of_two_counts):
        assert attack_by_doubling(site) is defence.is_off


def test_quotes_mean_nothing(site: Site, defence: Defence) -> None:
    with defence.without(defences.quotes_hide_what_is_in_them):
        assert attack_by_quotes(site) is defence.is_off


def test_the_jar_takes_what_a_sibling_may_set(site: Site) -> None:
    """A jar that refused everything would prove nothing."""
    victim = site.browser()
    victim.jar.store("theme=dark; Domain=example.com; Path=/; Secure", host=SIBLING)
    assert victim.jar.header(host=HOST) == "theme=dark"
