from collections.abc import Generator
from pathlib import Path

import pytest

from tests.conftest import new_url
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


@pytest.fixture(params=["memory", "sqlite", "redis", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty store, of more kinds than elsewhere."""
    return new_url(request, tmp_path)
