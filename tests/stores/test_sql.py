"""The contract on SQL databases, by each driver; and what is theirs alone."""

import pytest

from coatcheck import Store
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import StoreContract
from coatcheck.waiting import Kind
from tests.servers import Server, mariadb_url, postgres_url, with_tables


class SQLContract(StoreContract):
    kind = Kind.ASYNCIO
    url: str

    def make_store(self) -> Store:
        return SQLStore.from_url(self.url, kind=self.kind)


class TestPostgreSQL(SQLContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: Server) -> None:
        self.url = with_tables(postgres_url(postgres))


class TestPostgreSQLBlocking(TestPostgreSQL):
    kind = Kind.BLOCKING
    is_blocking = True


class TestMariaDB(SQLContract):
    @pytest.fixture(autouse=True)
    def _server(self, mariadb: Server) -> None:
        self.url = with_tables(mariadb_url(mariadb))


class TestMariaDBBlocking(TestMariaDB):
    kind = Kind.BLOCKING
    is_blocking = True
