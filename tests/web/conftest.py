"""A store in memory behind a spy; the tests to which the store matters ask for every store."""

import pytest

from coatcheck import Event, Sessions, Store
from coatcheck.testing import Clock
from tests.web.app import shop
from tests.web.client import Client
from tests.web.jar import Jar
from tests.web.spy import Spy


@pytest.hookimpl(tryfirst=True)  # before the marks and the fixtures' own parameters are read
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = metafunc.fixturenames
    if "store_url" in names and "every_store" not in names:
        only = pytest.mark.parametrize("store_url", ["memory"], indirect=True)
        metafunc.definition.add_marker(only)


@pytest.fixture
def every_store() -> None:
    """Asked for by a test that runs on each store in turn."""


@pytest.fixture
def spy(store: Store) -> Spy:
    return Spy(store)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def sessions(spy: Spy, clock: Clock, events: list[Event]) -> Sessions:
    return Sessions(spy.store, clock=clock, on_event=events.append)


@pytest.fixture
def browser(sessions: Sessions, clock: Clock) -> Client:
    """A browser of the shop, over HTTPS."""
    return Client(shop(sessions), jar=Jar(clock))
