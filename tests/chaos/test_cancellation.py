"""Requests are cancelled while a server works for them; nobody gets another's answer (R-019)."""

import asyncio
import gc
import random
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import redis.asyncio

from coatcheck import Store, store_from_url
from coatcheck.core.record import Record
from coatcheck.errors import Undecodable
from tests.chaos.mixture import cancel, make_records, turns
from tests.chaos.shop import Shop
from tests.chaos.wire import Wire
from tests.kinds import SERVERS
from tests.servers import Server

CONNECTIONS = 8
PEOPLE = 20


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
async def between(redis: Server) -> AsyncGenerator[Wire]:
    """It loses nothing here, but makes an answer take several turns of the event loop."""
    async with Wire(redis.port) as between:
        yield between


@pytest.fixture
async def store(between: Wire, prefix: str) -> AsyncGenerator[Store]:
    """A store whose pool is small enough to notice a connection that does not come back."""
    options = f"prefix={prefix}&max_connections={CONNECTIONS}"
    store = store_from_url(f"redis://127.0.0.1:{between.port}/0?{options}")
    yield store
    await store.close()


@pytest.fixture
async def records(store: Store) -> list[Record]:
    return await make_records(store, PEOPLE)


async def test_a_thousand_cancelled_loads_mix_nothing_up(
    store: Store, records: list[Record]
) -> None:
    """Fails when a cancelled command leaves its answer on a connection that is used again."""
    cancelled = 0
    async with asyncio.timeout(100):
        while cancelled < 1_000:
            asked = random.sample(records, CONNECTIONS)
            loads = [asyncio.create_task(store.load(record.id)) for record in asked]
            await turns(9)
            for load in loads[:4]:
                load.cancel()
            found = await asyncio.gather(*loads, return_exceptions=True)
            for record, result in zip(asked, found, strict=True):
                if isinstance(result, asyncio.CancelledError):
                    cancelled += 1
                else:
                    assert result == record


@pytest.mark.parametrize("store_url", SERVERS, indirect=True)
async def test_a_thousand_cancelled_requests_of_all_kinds_mix_nothing_up(store_url: str) -> None:
    """Each kind has replies of its own, and each reply is somebody's.

    Fails when a cancelled request's reply is left for the next one on its connection, or in its
    pipeline, when a cancellation reaches others, or when a connection is lost with it.
    """
    size = "pool_size" if "sql" in store_url else "max_connections"
    store = store_from_url(f"{store_url}&{size}=4")
    await cancel(store, await make_records(store, PEOPLE), 1_000)
    await store.close()
    gc.collect()  # what was not closed is told


async def test_cancelled_loads_keep_no_connection(
    redis: Server, store: Store, records: list[Record]
) -> None:
    """Fails when a connection of a cancelled command is not given back to the pool."""
    async with connected(redis) as server:
        before = len(await server.client_list())
        for _ in range(100):
            loads = [asyncio.create_task(store.load(record.id)) for record in records]
            await turns(9)
            for load in loads:
                load.cancel()
            await asyncio.gather(*loads, return_exceptions=True)
        everyone = await asyncio.gather(*(store.load(record.id) for record in records))
        assert everyone == records
        assert len(await server.client_list()) <= before + CONNECTIONS


async def test_a_visitor_who_leaves_disturbs_nobody(store: Store) -> None:
    """The same through the whole stack; acknowledged changes are there.

    Fails when a cancelled command leaves its answer on a connection that is used again.
    """
    shop = Shop(store)
    people = [f"user{n}" for n in range(PEOPLE)]
    cookies = {who: (await shop.send(f"/login/{who}")).cookie for who in people}
    acknowledged = dict.fromkeys(people, 0)
    cancelled = dict.fromkeys(people, 0)

    async def visit(who: str) -> None:
        seen = await shop.send("/read", cookies[who])
        assert seen.body["subject"] == who
        cancelled[who] += 1
        assert (await shop.send("/count", cookies[who])).status == 200
        cancelled[who] -= 1
        acknowledged[who] += 1

    for _ in range(30):
        visits = [asyncio.create_task(visit(who)) for who in people]
        await turns(300)
        for task in visits[::2]:
            task.cancel()
        for result in await asyncio.gather(*visits, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError)
    assert sum(acknowledged.values()) > PEOPLE
    assert sum(cancelled.values()) > PEOPLE
    for who in people:
        seen = await shop.send("/read", cookies[who])
        assert seen.body["subject"] == who
        counted = seen.body["data"].get("count", 0)
        assert acknowledged[who] <= counted <= acknowledged[who] + cancelled[who]


async def test_an_answer_to_another_question_is_refused(
    between: Wire, store: Store, records: list[Record]
) -> None:
    """Should a pipeline ever be one answer behind, no record is taken for another's.

    What comes too late is no answer to the next pipeline either. Fails when a loaded record's id is
    not compared with the id asked for.
    """
    between.echoed = 1
    loads = [store.load(record.id) for record in records]
    found = await asyncio.gather(*loads, return_exceptions=True)
    assert found[0] == records[0]
    assert [type(each) for each in found[1:]] == [Undecodable] * (PEOPLE - 1)
    assert [await store.load(record.id) for record in records] == records


async def test_a_record_under_anothers_key_is_refused(
    redis: Server, prefix: str, store: Store, records: list[Record]
) -> None:
    """Fails when a loaded record's id is not compared with the id asked for."""
    async with connected(redis) as server:
        key, other = (f"{prefix}:s:{record.id}" for record in records[:2])
        await server.copy(key, other, replace=True)
    with pytest.raises(Undecodable):
        await store.load(records[1].id)


def connected(server: Server) -> Any:
    return redis.asyncio.Redis(port=server.port)
