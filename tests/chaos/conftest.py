from collections.abc import AsyncGenerator

import pytest

from coatcheck import Store
from coatcheck.testing import Clock
from coatcheck.waiting import Kind
from tests.chaos.shop import Shop


@pytest.fixture
async def shop(store: Store, form: Kind, clock: Clock) -> AsyncGenerator[Shop]:
    """The application on each store in turn; its clock stands still until it is moved."""
    shop = Shop(store, form=form, clock=clock)
    yield shop
    await shop.close()
