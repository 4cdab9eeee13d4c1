from collections.abc import AsyncGenerator

import pytest

from coatcheck import Store
from coatcheck.testing import Clock
from tests.chaos.shop import Shop


@pytest.fixture
async def shop(store: Store, clock: Clock) -> AsyncGenerator[Shop]:
    """The application on each store in turn; its clock stands still until it is moved."""
    shop = Shop(store, clock=clock)
    yield shop
    await shop.close()
