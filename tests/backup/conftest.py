"""Two stores, one that is exported and one that is filled, and a key."""

import uuid
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from coatcheck import Keyring, Store, store_from_url
from tests.servers import Server


@pytest.fixture(scope="session")
def key() -> str:
    return Keyring.new_key()


@pytest.fixture(scope="session")
def keyring(key: str) -> Keyring:
    return Keyring(key, setting="backup")


@pytest.fixture(params=["memory", "sqlite", "redis"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of another new, empty store."""
    if request.param == "memory":
        return "memory:"
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'target.db'}"
    server: Server = request.getfixturevalue("redis")
    return f"redis://127.0.0.1:{server.port}/0?prefix={uuid.uuid4().hex}"


@pytest.fixture
async def target(target_url: str) -> AsyncGenerator[Store]:
    store = store_from_url(target_url)
    yield store
    await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.backup"
