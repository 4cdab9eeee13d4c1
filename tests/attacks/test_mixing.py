"""Cross-user mix-up: a store, or a connection to it, answers with what is another user's.

redis-py's cancelled requests (CVE-2023-28858), CVE-2026-25480 (Litestar). R-004, R-014, R-019. What
a real connection does after a cancelled request is in tests/chaos/test_cancellation.py.
"""

from coatcheck import Keyring, Sealed
from tests.attacks import defences
from tests.attacks.pages import SECRET
from tests.attacks.site import SID, Defence, Site


def attack_by_record(site: Site) -> bool:
    """Be answered with alice's record in place of one's own."""
    attacker, victim = site.browser().log_in("mallory"), site.browser().log_in()
    site.stored.write(attacker.id, site.stored.all()[victim.id])
    return attacker.user == "alice"


def attack_by_data(site: Site) -> bool:
    """Be answered with one's own record, and alice's data in it."""
    attacker, victim = site.browser().log_in("mallory"), site.browser().log_in()
    theirs = site.stored.record(victim.id).payload
    site.stored.edit(attacker.id, lambda record: record._replace(payload=theirs))
    return SECRET.encode() in attacker.get("/read").body


def attack_by_spelling(site: Site) -> bool:
    """Spell a token in another way that might mean the same."""
    token = site.browser().log_in().token
    others = {token.swapcase(), token + "=", f"%{ord(token[0]):02x}{token[1:]}", f'"{token}"'}
    replies = [site.browser().get("/me", ("Cookie", f"{SID}={other}")) for other in others]
    return any(reply.status == 200 for reply in replies)


def test_a_record_says_whose_it_is(site: Site, defence: Defence) -> None:
    with defence.without(defences.records_fit_anywhere):
        assert attack_by_record(site) is defence.is_off


def test_data_says_whose_it_is(site: Site, defence: Defence) -> None:
    with defence.without(defences.payloads_fit_anywhere):
        assert attack_by_data(site) is defence.is_off


def test_sealed_data_says_whose_it_is(site: Site, defence: Defence) -> None:
    site.deploy(envelope=Sealed(Keyring(Keyring.new_key())))
    with defence.without(defences.payloads_fit_anywhere):
        assert attack_by_data(site) is defence.is_off


def test_a_token_has_one_spelling(site: Site, defence: Defence) -> None:
    with defence.without(defences.tokens_in_any_spelling):
        assert attack_by_spelling(site) is defence.is_off
