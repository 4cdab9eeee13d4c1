"""Unsafe deserialisation: who can write to the store runs code in the application.

CVE-2021-33026 (Flask-Caching), CVE-2013-7489 (Beaker). R-012, R-013.
"""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import ormsgpack
import pytest

from coatcheck import Happened
from coatcheck.core.envelope import Checked
from tests.attacks import defences
from tests.attacks.site import Defence, Site


class _Bomb:
    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self._canary),)


def pickled(canary: Path) -> bytes:
    return pickle.dumps(_Bomb(canary), 4)


def tagged_json(canary: Path) -> bytes:
    return json.dumps({"note": {"py/reduce": ["os.mkdir", [str(canary)]]}}).encode()


def extension(canary: Path) -> bytes:
    return ormsgpack.packb({"note": ormsgpack.Ext(99, pickled(canary))})


def attack(site: Site, data: bytes, canary: Path) -> bool:
    """Write data into one's own session in the store, and have it loaded."""
    attacker, other = site.browser().log_in(), site.browser().log_in("bob")
    site.stored.edit(
        attacker.id, lambda record: record._replace(payload=Checked().wrap(data, record.bound_to()))
    )
    reply = attacker.get("/read")
    assert other.user == "bob"
    if canary.exists():
        return True
    assert (reply.status, attacker.user) == (200, None)
    return False


@pytest.mark.parametrize("data", [pickled, tagged_json, extension])
def test_deserialisation(
    site: Site, defence: Defence, tmp_path: Path, data: Callable[[Path], bytes]
) -> None:
    canary = tmp_path / "canary"
    with defence.without(defences.data_that_runs):
        assert attack(site, data(canary), canary) is defence.is_off
    assert bool(site.happened(Happened.UNREADABLE)) is not defence.is_off


@pytest.mark.parametrize("value", [pickle.dumps({"subject": "alice"}), b"!!python/none", b"{}"])
def test_what_is_no_record_is_nobodys(site: Site, value: bytes) -> None:
    victim = site.browser().log_in()
    site.stored.write(victim.id, value)
    assert victim.get("/me").status == 401
