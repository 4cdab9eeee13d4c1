"""The journey of every adapter, with all that is stored encrypted and compressed."""

from functools import partial
from typing import Any

import pytest

from coatcheck import BlockingSessions, Compressed, Keyring, MemoryStore, Sealed
from coatcheck.testing import Driver, Pages
from coatcheck.waiting import finish
from tests.frameworks.django_site import site
from tests.frameworks.test_django_engine import make
from tests.frameworks.test_starlette import TestStarlette as Starlette
from tests.frameworks.test_wsgi import TestBare as Bare

ENVELOPE = Compressed(Sealed(Keyring(Keyring.new_key())), above=16)


@pytest.fixture(autouse=True)
def administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the journey's administrator have the keys, too."""
    theirs = partial(BlockingSessions, envelope=ENVELOPE)
    monkeypatch.setattr("coatcheck.testing.browsers.BlockingSessions", theirs)


class TestAsgi(Starlette):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        return super().serve(pages, {**parts, "envelope": ENVELOPE})


class TestWsgi(Bare):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        return super().serve(pages, {**parts, "envelope": ENVELOPE})


def test_django_takes_an_envelope() -> None:
    store = MemoryStore()
    with site(COATCHECK={"store": store, "envelope": ENVELOPE}):
        session = make()
        session["hat"] = 1
        session.save()
        assert make(session.session_key)["hat"] == 1
    (record,) = finish(store.page(None, None, 9)).records
    assert record.payload[:1] == b"\x02"
