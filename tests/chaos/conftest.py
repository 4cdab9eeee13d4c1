from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from coatcheck import Store
from coatcheck.testing import Clock
from tests.chaos.shop import Shop
from tests.conftest import new_url


@pytest.fixture
async def shop(store: Store, clock: Clock) -> AsyncGenerator[Shop]:
    """The application on each store in turn; its clock stands still until it is moved."""
    shop = Shop(store, clock=clock)
    yield shop
    await shop.close()


@pytest.fixture(params=["memory", "sqlite", "redis", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty store, of more kinds than elsewhere."""
    return new_url(request, tmp_path)
