"""What the tests share: servers, stores to choose from, a clock that is moved by hand."""

import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from coatcheck import Sessions, Store, store_from_url
from coatcheck.stores.sql import drivers
from coatcheck.stores.sql import store as sql
from coatcheck.testing import Clock
from coatcheck.waiting import Kind
from tests.kinds import USUAL
from tests.redis_topologies import Nodes, Watched, clustered, valkey_server, watched
from tests.servers import (
    Server,
    mariadb_server,
    mariadb_url,
    postgres_server,
    postgres_url,
    redis_server,
    sqlite_url,
    with_tables,
)
from tests.threads import ask

PATIENCE = 30
"""Seconds."""


@pytest.fixture(autouse=True)
def blocking_calls() -> Generator[None]:
    """Let a call that waits for a network or a clock, and holds an event loop up, fail the test.

    SQLite is called inline on purpose and waits for a lock for a bounded time; files are looked at
    when something is imported or a connection made.
    """
    with blockbuster_ctx("coatcheck") as detector:
        for name, function in detector.functions.items():
            if not name.startswith(("socket.", "ssl.", "time.")):
                function.deactivate()
            function.can_block_in("coatcheck/stores/sqlite_file.py", "_use_wal")
        yield


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give databases time where the tests are not about that: a busy machine fails none of them."""
    if "chaos" not in request.path.parts:
        usual = sql._CONNECTING  # pyright: ignore[reportPrivateUsage]
        patient = {driver: dict.fromkeys(options, PATIENCE) for driver, options in usual.items()}
        monkeypatch.setattr(sql, "_CONNECTING", patient)
        monkeypatch.setattr(drivers, "LIMIT", PATIENCE)


@pytest.fixture(scope="session")
def redis() -> Generator[Server]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Generator[Server]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Generator[Server]:
    with mariadb_server() as server:
        yield server


@pytest.fixture(scope="session")
def behind_sentinel() -> Generator[Watched]:
    """A master, its replica, three sentinels; for tests that leave them as they are."""
    with watched() as group:
        yield group


@pytest.fixture(scope="session")
def cluster() -> Generator[Nodes]:
    """Three masters; for tests that leave them as they are."""
    with clustered() as nodes:
        yield nodes


@pytest.fixture(scope="session")
def valkey() -> Generator[Server]:
    with valkey_server() as server:
        yield server


@pytest.fixture(params=USUAL)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty store, of each of the usual kinds, or those that a mark names."""
    return new_url(request, request.param, tmp_path)


def new_url(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    """Return the URL of a new, empty store."""
    if kind == "memory":
        return "memory:"
    if kind == "sqlite":
        return sqlite_url(folder)
    if kind == "postgresql":
        return with_tables(postgres_url(request.getfixturevalue("postgres")))
    if kind == "mariadb":
        return with_tables(mariadb_url(request.getfixturevalue("mariadb")))
    prefix = f"prefix={uuid.uuid4().hex}"
    if kind == "sentinel":
        group: Watched = request.getfixturevalue("behind_sentinel")
        return group.url(f"wait=1&{prefix}")
    if kind == "cluster":
        nodes: Nodes = request.getfixturevalue("cluster")
        return nodes.as_user(prefix)
    server: Server = request.getfixturevalue(kind)
    return f"{kind}://127.0.0.1:{server.port}/0?{prefix}"


@pytest.fixture
def form(request: pytest.FixtureRequest) -> Kind:
    """How the store waits: asyncio's way, or as a mark names it."""
    return getattr(request, "param", Kind.ASYNCIO)


@pytest.fixture
async def store(store_url: str, form: Kind) -> AsyncGenerator[Store]:
    store = store_from_url(store_url, blocking=form is Kind.BLOCKING)
    yield store
    await ask(store, store.close())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(store: Store, clock: Clock) -> Sessions:
    return Sessions(store, clock=clock)
