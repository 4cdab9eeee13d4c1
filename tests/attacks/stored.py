"""What an attacker sees and does who can read and write the store, past the library."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from typing import Any

from redis import Redis

from coatcheck.core.record import Record
from coatcheck.stores.packed import RECORD, pack, unpack


class Stored(ABC):
    """The records in a store, as bytes by their ids."""

    @abstractmethod
    def all(self) -> dict[str, bytes]: ...

    @abstractmethod
    def write(self, id: str, value: bytes) -> None: ...

    @abstractmethod
    def dump(self) -> bytes:
        """Return all keys and values there are."""

    def record(self, id: str) -> Record:
        found = unpack(id, self.all()[id])
        assert isinstance(found, Record)
        return found

    def edit(self, id: str, change: Callable[[Record], Record]) -> None:
        self.write(id, pack(change(self.record(id))))


class InSQLite(Stored):
    def __init__(self, path: str) -> None:
        self._path = path

    def all(self) -> dict[str, bytes]:
        return dict(self._do("SELECT id, record FROM coatcheck_sessions"))

    def write(self, id: str, value: bytes) -> None:
        self._do("UPDATE coatcheck_sessions SET record = ? WHERE id = ?", value, id)

    def dump(self) -> bytes:
        tables = [name for (name,) in self._do("SELECT name FROM sqlite_schema WHERE type='table'")]
        return repr([self._do(f"SELECT * FROM {table}") for table in tables]).encode()  # noqa: S608

    def _do(self, statement: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self._path)) as db, db:
            return db.execute(statement, values).fetchall()


class InRedis(Stored):
    def __init__(self, port: int, prefix: str) -> None:
        self._port, self._prefix = port, prefix

    def all(self) -> dict[str, bytes]:
        with self._redis() as redis:
            found: dict[str, bytes] = {
                key.decode().rpartition(":")[2]: redis.get(key)
                for key in redis.keys(f"{self._prefix}:s:*")
            }
        return {id: value for id, value in found.items() if value[:1] == RECORD}

    def write(self, id: str, value: bytes) -> None:
        with self._redis() as redis:
            redis.set(f"{self._prefix}:s:{id}", value, keepttl=True)

    def dump(self) -> bytes:
        with self._redis() as redis:
            keys = redis.keys(f"{self._prefix}:*")
            return repr([(key, redis.dump(key)) for key in keys]).encode()

    def _redis(self) -> Any:
        return Redis(port=self._port)
