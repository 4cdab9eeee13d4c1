"""Default and shared keys: what everybody knows, or another deployment has, opens the sessions.

CVE-2023-27524 (Superset), CVE-2020-17526 (Airflow). R-017, R-076.
"""

import re
from pathlib import Path

from coatcheck import Keyring, Sealed
from coatcheck.errors import ConfigurationError
from tests.attacks import defences
from tests.attacks.pages import SECRET
from tests.attacks.site import Defence, Site

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/encrypt.md"
BRANCH = "branch.example.com"


def attack_by_example(site: Site) -> bool:
    """Read the store of an application that was deployed with the documentation's key."""
    (key,) = set(re.findall(r"cck1_[\w-]{48}", PAGE.read_text()))
    try:
        site.deploy(envelope=Sealed(Keyring(key)))
    except ConfigurationError:
        return False
    victim = site.browser().log_in()
    record = site.stored.record(victim.id)
    known = Sealed(Keyring(key))
    return SECRET.encode() in known.unwrap(record.payload, record.bound_to())


def attack_a_neighbour(site: Site, key: str, neighbours: str) -> bool:
    """Use a cookie of one deployment on another one that has the same Redis, or the same disk."""
    site.deploy(envelope=Sealed(Keyring(key)))
    site.deploy(host=BRANCH, envelope=Sealed(Keyring(neighbours)))
    token = site.browser().log_in().token
    return site.browser(token, host=BRANCH).user == "alice"


def test_the_documentations_key_stops_the_start(site: Site, defence: Defence) -> None:
    with defence.without(defences.published_keys_count):
        assert attack_by_example(site) is defence.is_off


def test_each_deployment_has_a_key_of_its_own(site: Site, defence: Defence) -> None:
    key = Keyring.new_key()
    neighbours = key if defence.is_off else Keyring.new_key()
    assert attack_a_neighbour(site, key, neighbours) is defence.is_off
