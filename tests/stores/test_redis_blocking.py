"""A thread sends on a connection out of the client's pool, and gives it back whatever comes."""

import asyncio
import uuid
from collections.abc import Generator
from typing import Any

import pytest
import redis

from coatcheck.core.record import Stored
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import make_record
from coatcheck.waiting import Kind, finish
from tests.chaos.wire import Loss, Wire
from tests.servers import Server


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def server(redis_port: int) -> Generator[Any]:
    """A client past the store."""
    client: Any = redis.Redis(port=redis_port)
    yield client
    client.close()


@pytest.fixture
def redis_port(redis: Server) -> int:
    return redis.port


def connected(port: int, prefix: str) -> RedisStore:
    """Return a store with a single connection, which a command that keeps it takes from all."""
    url = f"redis://127.0.0.1:{port}/0?prefix={prefix}&max_connections=1"
    return RedisStore.from_url(url, kind=Kind.BLOCKING)


def test_an_error_is_one_commands_own_and_the_connection_goes_on(
    redis_port: int, server: Any, prefix: str
) -> None:
    """Fails when an error keeps the connection, or closes it."""
    store, good, bad = connected(redis_port, prefix), make_record(), make_record()
    finish(store.save(good, None))
    server.rpush(f"{prefix}:s:{bad.id}", "no string")
    before = server.info("stats")["total_connections_received"]
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
            finish(store.load(bad.id))
        assert finish(store.load(good.id)) == good
    assert server.info("stats")["total_connections_received"] == before
    finish(store.close())


async def test_after_a_lost_answer_the_next_command_has_a_connection(
    redis_port: int, prefix: str
) -> None:
    """Fails when a connection that broke is not given back."""
    async with Wire(redis_port) as between:
        store, record = connected(between.port, prefix), make_record()

        def load() -> Stored:
            return finish(store.load(record.id))

        await asyncio.to_thread(lambda: finish(store.save(record, None)))
        between.losses.append(Loss("load", applied=True))
        with pytest.raises(StoreUnavailable):
            await asyncio.to_thread(load)
        assert await asyncio.to_thread(load) == record
        await asyncio.to_thread(lambda: finish(store.close()))
