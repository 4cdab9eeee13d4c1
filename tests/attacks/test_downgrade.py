"""Downgrade: what fails to decrypt, or was never encrypted, is read all the same.

CVE-2026-39324 (rack-session). R-014, R-015.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from coatcheck import Happened, Keyring, Sealed
from coatcheck.core.envelope import Checked
from coatcheck.core.record import Record
from tests.attacks import defences
from tests.attacks.site import Defence, Site


def attack(site: Site, forge: Callable[[Record], Record]) -> bool:
    """Write alice's name into one's own record; the store is open, the key is not known."""
    attacker = site.browser().log_in("mallory")
    site.stored.edit(attacker.id, forge)
    return attacker.user == "alice"


def plain(record: Record) -> Record:
    record = record._replace(subject="alice")
    return record._replace(payload=Checked().wrap(b"\x80", record.bound_to()))


def relabelled(record: Record) -> Record:
    """Keep the sealed data of another user."""
    return record._replace(subject="alice")


def test_plain_records_are_refused(site: Site, defence: Defence) -> None:
    until = datetime.now(UTC) + timedelta(hours=1) if defence.is_off else None
    site.deploy(envelope=Sealed(Keyring(Keyring.new_key()), accept_plain_until=until))
    assert attack(site, plain) is defence.is_off
    assert bool(site.happened(Happened.UNREADABLE)) is not defence.is_off


def test_nothing_falls_back_to_plain(site: Site, defence: Defence) -> None:
    site.deploy(envelope=Sealed(Keyring(Keyring.new_key())))
    with defence.without(defences.falling_back_to_plain):
        assert attack(site, plain) is defence.is_off


def test_sealed_data_is_bound_to_its_user(site: Site, defence: Defence) -> None:
    site.deploy(envelope=Sealed(Keyring(Keyring.new_key())))
    with defence.without(defences.payloads_fit_anywhere):
        assert attack(site, relabelled) is defence.is_off
