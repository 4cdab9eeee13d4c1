"""One contract, every store, both kinds of client."""

from pathlib import Path

import pytest
from blockbuster import BlockingError

from coatcheck import MemoryStore, SQLiteStore, Store, store_from_url
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import StoreContract
from coatcheck.waiting import Kind
from tests.conftest import new_url
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
    """Derived classes name another kind; a cluster is asked as a user who may do nothing else."""

    which = "redis"
    forgets_by_itself = True

    @pytest.fixture(autouse=True)
    def _server(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self.url = new_url(request, self.which, tmp_path)

    def make_store(self) -> Store:
        return store_from_url(self.url, blocking=self.is_blocking)


class TestRedisBlocking(TestRedis):
    is_blocking = True


class TestSentinel(TestRedis):
    which = "sentinel"


class TestSentinelBlocking(TestSentinel):
    is_blocking = True


class TestCluster(TestRedis):
    which = "cluster"


class TestClusterBlocking(TestCluster):
    is_blocking = True


class TestValkey(TestRedis):
    which = "valkey"


class TestValkeyBlocking(TestValkey):
    is_blocking = True


class TestPostgreSQL(TestRedis):
    which = "postgresql"
    forgets_by_itself = False


class TestPostgreSQLBlocking(TestPostgreSQL):
    is_blocking = True


class TestMariaDB(TestPostgreSQL):
    which = "mariadb"


class TestMariaDBBlocking(TestMariaDB):
    is_blocking = True


# The driver does not close a socket whose connecting ends in an error that it does not know.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_client_that_blocks_an_event_loop_is_noticed(redis: Server) -> None:
    """What all asyncio tests rely on; fails when the detector watches nothing of ours."""
    store = RedisStore.from_url(f"redis://127.0.0.1:{redis.port}", kind=Kind.BLOCKING)
    with pytest.raises(BlockingError):
        await store.load("x")
