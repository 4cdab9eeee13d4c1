"""A headless Chromium, and the shop it visits: three servers, a balancer, an SQLite file."""

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from coatcheck import Policy
from examples.shop.clock import ShopClock
from examples.shop.fleet import Fleet
from tests.browser.visit import DESK, Album, Visitor
from tests.servers import program, sqlite_url

Welcome = Callable[..., Visitor]

OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # a container may not allow one; the only pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """Closed with the module: as long as it is open, no other test can run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module", params=["fastapi", "fastapi,flask,django"])
def fleet(request: pytest.FixtureRequest, folder: Path) -> Generator[Fleet]:
    """The shop as it is, and each of its servers in another framework."""
    kinds = request.param.split(",")
    with Fleet(sqlite_url(folder), clock=folder / "clock", kinds=kinds) as fleet:
        yield fleet


@pytest.fixture
def shop_clock(folder: Path) -> ShopClock:
    """The clock of a shop that nobody is logged in to: the sessions of other tests are over."""
    clock = ShopClock(folder / "clock")
    clock.advance(Policy().idle)
    return clock


@pytest.fixture
def welcome(chromium: Browser, fleet: Fleet, shop_clock: ShopClock) -> Generator[Welcome]:
    """Welcomes visitors to a shop where nobody is logged in yet.

    At the end, the consoles of all their tabs must have been silent.
    """
    visitors: list[Visitor] = []

    def welcome(options: dict[str, Any] = DESK) -> Visitor:
        visitors.append(Visitor(chromium, fleet.url, options))
        return visitors[-1]

    yield welcome
    for visitor in visitors:
        visitor.context.close()
    assert [problem for each in visitors for tab in each.tabs for problem in tab.problems] == []


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """Keeps screenshots in the folder that SCREENSHOTS names, else with the test's own files."""
    return Album(Path(os.environ.get("SCREENSHOTS") or tmp_path))
