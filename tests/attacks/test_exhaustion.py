"""Exhaustion: requests that cost the attacker nothing fill the store, or keep the parser busy.

CVE-2015-5143 and CVE-2015-5963 (Django), CVE-2024-7592 (CPython). R-063, R-080, R-082.
"""

import os

from coatcheck import Policy, Rate, Token
from tests.attacks import defences
from tests.attacks.site import SID, Defence, Site

HITS = {"starlette": 4_000, "flask": 1_000}
"""10,000 over all adapters and stores."""


def attack_the_store(site: Site, hits: int) -> bool:
    """Be nobody, present what was never issued, and log out, again and again."""
    attacker = site.browser()
    for _ in range(hits // 3):
        invented = Token.mint(os.urandom).reveal()
        attacker.get("/read", ("Cookie", ""))
        attacker.get("/read", ("Cookie", f"{SID}={invented}"))
        attacker.post("/logout", ("Cookie", f"{SID}={invented}"))
    return bool(site.stored.all())


def attack_the_parser(site: Site) -> bool:
    """Have 1 MB of cookies read, in as many headers as a server takes."""
    victim = site.browser().log_in()
    junk = ("Cookie", "; ".join(['x="\\\\\\"' * 5] * 1_500))
    own = ("Cookie", f"a=b; {victim.cookie}")
    reply = site.browser().get("/me", *[junk] * (1_000_000 // len(junk[1]) + 1), own)
    assert reply.status < 500
    return reply.status == 200


def attack_as_visitors(site: Site) -> bool:
    """Begin sessions that are worth a record, and keep no cookie of any."""
    attacker = site.browser()
    for number in range(30):
        attacker.post("/write", ("Cookie", ""), cart=str(number))
    return len(site.stored.all()) == 30


def test_nobody_leaves_a_record(site: Site, adapter: str, defence: Defence) -> None:
    hits = 30 if defence.is_off else HITS[adapter]
    with defence.without(defences.a_record_for_everybody):
        assert attack_the_store(site, hits) is defence.is_off


def test_long_cookies_are_not_read(site: Site, defence: Defence) -> None:
    with defence.without(defences.cookies_of_any_size):
        assert attack_the_parser(site) is defence.is_off


def test_a_client_begins_so_many_sessions(site: Site, defence: Defence) -> None:
    site.deploy(policy=Policy(visitor_rate=None if defence.is_off else Rate(10)))
    assert attack_as_visitors(site) is defence.is_off
    assert site.browser(X_Forwarded_For="203.0.113.9").post("/write", cart="hat").status == 200
