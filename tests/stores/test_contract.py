"""One contract, every store, both kinds of client."""

import uuid
from pathlib import Path

import pytest
from blockbuster import BlockingError

from coatcheck import MemoryStore, SQLiteStore, Store
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import StoreContract
from coatcheck.waiting import Kind
from tests.redis_topologies import Nodes, Watched
from tests.servers import Server


class TestMemory(StoreContract):
    def make_store(self) -> Store:
        return MemoryStore()


class TestSQLite(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "sessions.db"

    def make_store(self) -> Store:
        return SQLiteStore(self.path)


class TestSQLiteBlocking(TestSQLite):
    is_blocking = True


class TestRedis(StoreContract):
    forgets_by_itself = True
    kind = Kind.ASYNCIO

    @pytest.fixture(autouse=True)
    def _server(self, redis: Server) -> None:
        self.url = f"redis://127.0.0.1:{redis.port}/0?prefix={uuid.uuid4().hex}"

    def make_store(self) -> Store:
        return RedisStore.from_url(self.url, kind=self.kind)


class TestRedisBlocking(TestRedis):
    kind = Kind.BLOCKING
    is_blocking = True


class TestSentinel(TestRedis):
    @pytest.fixture(autouse=True)
    def _server(self, behind_sentinel: Watched) -> None:
        self.url = behind_sentinel.url(f"prefix={uuid.uuid4().hex}&wait=1")


class TestSentinelBlocking(TestSentinel):
    kind = Kind.BLOCKING
    is_blocking = True


class TestCluster(TestRedis):
    """As a user who may do nothing else: no `KEYS`, no `CONFIG`, no `SUBSCRIBE`."""

    @pytest.fixture(autouse=True)
    def _server(self, cluster: Nodes) -> None:
        self.url = cluster.as_user(f"prefix={uuid.uuid4().hex}")


class TestClusterBlocking(TestCluster):
    kind = Kind.BLOCKING
    is_blocking = True


class TestValkey(TestRedis):
    @pytest.fixture(autouse=True)
    def _server(self, valkey: Server) -> None:
        self.url = f"valkey://127.0.0.1:{valkey.port}/0?prefix={uuid.uuid4().hex}"


class TestValkeyBlocking(TestValkey):
    kind = Kind.BLOCKING
    is_blocking = True


# The driver does not close a socket whose connecting ends in an error that it does not know.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_client_that_blocks_an_event_loop_is_noticed(redis: Server) -> None:
    """What all asyncio tests rely on; fails when the detector watches nothing of ours."""
    store = RedisStore.from_url(f"redis://127.0.0.1:{redis.port}", kind=Kind.BLOCKING)
    with pytest.raises(BlockingError):
        await store.load("x")
