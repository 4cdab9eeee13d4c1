"""A headless Chromium, and the shop it visits: three servers, a balancer, an SQLite file."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from examples.shop.clock import ShopClock
from examples.shop.fleet import Fleet
from tests.browser.visit import Album
from tests.servers import program, sqlite_url

OPTIONS = [
    "--headless=new",
    "--no-sandbox",  # a container's root may not have one; the only pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    """Closed with the module: while it is open, no test of this thread can run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def shop_clock(tmp_path: Path) -> ShopClock:
    return ShopClock(tmp_path / "clock")


@pytest.fixture
def fleet(tmp_path: Path, shop_clock: ShopClock) -> Generator[Fleet]:
    with Fleet(sqlite_url(tmp_path), clock=shop_clock.path) as fleet:
        yield fleet


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """Keeps screenshots in the folder that SCREENSHOTS names, else with the test's own files."""
    return Album(Path(os.environ.get("SCREENSHOTS") or tmp_path))
