"""A site for each attack: every adapter with every store that keeps more than one process.

The servers start once; a test has an application and an empty store of its own. Attacks that need
something of the adapter, such as WebSockets, name the adapters themselves.
"""

import uuid
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.attacks.applications import SERVERS, Server
from tests.attacks.site import Defence, Site
from tests.attacks.stored import InRedis, InSQLite, Stored
from tests.servers import Server as RedisServer
from tests.servers import sqlite_url

ADAPTERS = ["starlette", "flask"]
STORES = ["sqlite", "redis"]


@pytest.fixture(scope="session")
def servers() -> Generator[Callable[[str], Server]]:
    """Return the server of an adapter, which is started when it is asked for first."""
    running: dict[str, Server] = {}

    def server(adapter: str) -> Server:
        if adapter not in running:
            running[adapter] = SERVERS[adapter]()
        return running[adapter]

    yield server
    for each in running.values():
        each.stop()


@pytest.fixture(params=list(Defence))
def defence(request: pytest.FixtureRequest) -> Defence:
    return Defence(request.param)


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def site(
    adapter: str,
    kind: str,
    servers: Callable[[str], Server],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Generator[Site]:
    if kind == "sqlite":
        url, stored = sqlite_url(tmp_path), _in_sqlite(tmp_path)
    else:
        redis: RedisServer = request.getfixturevalue("redis")
        prefix = uuid.uuid4().hex
        url = f"redis://127.0.0.1:{redis.port}/0?prefix={prefix}"
        stored = InRedis(redis.port, prefix)
    site = Site(servers(adapter), url, stored)
    yield site
    site.close()


def _in_sqlite(folder: Path) -> Stored:
    return InSQLite(sqlite_url(folder).removeprefix("sqlite:///"))
