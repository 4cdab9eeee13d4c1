"""One contract, every store, both kinds of client."""

import tempfile
import uuid
from pathlib import Path

import pytest

from coatcheck import MemoryStore, SQLiteStore, Store
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import StoreContract
from coatcheck.waiting import Kind
from tests.servers import Server


class TestMemory(StoreContract):
    def make_store(self) -> Store:
        return MemoryStore()


class TestSQLite(StoreContract):
    def make_store(self) -> Store:
        return SQLiteStore(Path(tempfile.mkdtemp()) / "sessions.db")


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
