"""What the tests share: servers, stores to choose from, a clock that is moved by hand."""

import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from coatcheck import Sessions, Store, store_from_url
from coatcheck.testing import Clock
from tests.servers import Server, redis_server, sqlite_url


@pytest.fixture(scope="session")
def redis() -> Generator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty store, of each kind in turn."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    server: Server = request.getfixturevalue("redis")
    return f"redis://127.0.0.1:{server.port}/0?prefix={uuid.uuid4().hex}"


@pytest.fixture
async def store(store_url: str) -> AsyncGenerator[Store]:
    store = store_from_url(store_url)
    yield store
    await store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(store: Store, clock: Clock) -> Sessions:
    return Sessions(store, clock=clock)
