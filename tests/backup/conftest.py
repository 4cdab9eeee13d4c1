"""Two stores, one that is exported and one that is filled, and a key."""

import socket
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from coatcheck import Keyring, Store, store_from_url
from tests.conftest import new_url
from tests.kinds import USUAL
from tests.servers import Server, redis_server


@pytest.fixture(scope="session")
def key() -> str:
    return Keyring.new_key()


@pytest.fixture(scope="session")
def keyring(key: str) -> Keyring:
    return Keyring(key, setting="backup")


@pytest.fixture(scope="session")
def lonely_redis() -> Generator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(lonely_redis: Server) -> Server:
    """An empty one: a listing, here of few sessions at once, walks past the keys of all others."""
    with socket.create_connection(("127.0.0.1", lonely_redis.port)) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        assert connection.recv(16) == b"+OK\r\n"
    return lonely_redis


@pytest.fixture(params=[*USUAL, "postgresql"])
def target_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of another new, empty store."""
    folder = tmp_path / "target"
    folder.mkdir()
    return new_url(request, request.param, folder)


@pytest.fixture
async def target(target_url: str) -> AsyncGenerator[Store]:
    store = store_from_url(target_url)
    yield store
    await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.backup"
