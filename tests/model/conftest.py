from collections.abc import Generator

import pytest

from tests.model.explorer.chance import predictable
from tests.model.explorer.loop import SteppedLoop
from tests.model.explorer.search import Explorer
from tests.model.explorer.store import ObservedMemory


@pytest.fixture
def explorer() -> Generator[Explorer]:
    """Explores over a store in memory."""
    loop = SteppedLoop()
    with predictable() as chance:
        yield Explorer(chance, loop, ObservedMemory())
    loop.close()
