"""Store theft: whoever has a dump of the store signs in with what is in it.

CVE-2019-16782 (Rack). R-010, R-011.
"""

from base64 import urlsafe_b64encode

from tests.attacks import defences
from tests.attacks.site import SID, Defence, Site


def attack(site: Site) -> bool:
    """Make tokens of all that a dump holds."""
    site.browser().log_in()
    replies = [
        site.browser().get("/me", ("Cookie", f"{SID}={id}.{lineage}.{secret}"))
        for id in site.stored.all()
        for lineage, secret in _halves(site, id)
        if (lineage + secret).isascii()  # else it is no token, and no header
    ]
    return any(reply.status == 200 for reply in replies)


def attack_by_reading(site: Site) -> bool:
    """Find a part of a secret in a dump."""
    victim = site.browser().log_in()
    dump = site.stored.dump()
    _, lineage, secret = victim.token.split(".")
    windows = [half[at : at + 8] for half in (lineage, secret) for at in range(len(half) - 7)]
    return any(window.encode() in dump for window in windows)


def test_a_dump_opens_nothing(site: Site, defence: Defence) -> None:
    with defence.without(defences.tokens_in_the_store):
        assert attack(site) is defence.is_off


def test_a_dump_holds_no_secret(site: Site, defence: Defence) -> None:
    with defence.without(defences.tokens_in_the_store):
        assert attack_by_reading(site) is defence.is_off


def _halves(site: Site, id: str) -> list[tuple[str, str]]:
    """Return what might be the two secrets: what is stored as it is, and spelled as they are."""
    record = site.stored.record(id)
    stored = (record.lineage_digest, record.digest)
    as_text = tuple(part.decode("latin-1") for part in stored)
    spelled = tuple(urlsafe_b64encode(part).rstrip(b"=").decode() for part in stored)
    return [(as_text[0], as_text[1]), (spelled[0], spelled[1])]
