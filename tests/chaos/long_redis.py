"""What `tests/chaos` shows once, again and again and for longer: only `make chaos` runs it.

It prints what it measured: what a failover took, and what was lost without `wait`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from redis.crc import key_slot

from coatcheck import store_from_url
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.testing import make_record, make_tombstone, next_version
from tests.chaos.customer import Customer, until
from tests.chaos.shop import Shop
from tests.redis_topologies import HASTY, Nodes, Watched, ask, clustered, info, watched
from tests.redis_topologies import until as at_last

ROUNDS = 5


@asynccontextmanager
async def traffic(url: str, number: int = 16) -> AsyncGenerator[tuple[Shop, list[Customer]]]:
    """Customers who shop, and are checked in the end."""
    shop = Shop(store_from_url(url))
    customers = [Customer(shop, f"user{n}", now_and_then=100) for n in range(number)]
    for customer in customers:
        await customer.sign_in()
    over = asyncio.Event()
    shopping = [asyncio.create_task(customer.shop_until(over)) for customer in customers]
    try:
        yield shop, customers
    finally:
        over.set()
        await asyncio.gather(*shopping)
        for customer in customers:
            await customer.check()
        await shop.close()


async def first_answer(shop: Shop, customers: list[Customer]) -> float:
    """Return the seconds until every customer is served."""
    start = time.perf_counter()
    for customer in customers:
        while (await shop.send("/read", customer.cookie)).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    return time.perf_counter() - start


@pytest.mark.parametrize("round", range(ROUNDS))
async def test_masters_behind_sentinel_die_one_after_another(round: int) -> None:
    with watched(replicas=3, within=500) as servers:
        async with traffic(servers.url("wait=1")) as (shop, customers):
            for left in (2, 1):
                old = servers.master()
                await until(lambda: all(one.acknowledged > 5 for one in customers))
                await asyncio.to_thread(old.kill)
                await asyncio.to_thread(at_last, partial(_is_replaced, servers, old))
                took = await first_answer(shop, customers)
                print(f"\nfirst good answers {1000 * took:.0f} ms after a failover")
                assert took <= 1
                await asyncio.to_thread(at_last, partial(_has_replicas, servers, left))
                before = [customer.acknowledged + 5 for customer in customers]
                await until(partial(_went_on, customers, before))


def _is_replaced(servers: Watched, old: Any) -> bool:
    master = servers.master()
    return master is not old and info(master, "role") == "master"


def _has_replicas(servers: Watched, number: int) -> bool:
    return info(servers.master(), "connected_slaves") == str(number)


def _went_on(customers: list[Customer], before: list[int]) -> bool:
    return all(c.acknowledged > b for c, b in zip(customers, before, strict=True))


@pytest.mark.parametrize("query", ["", "wait=1"])
async def test_what_a_masters_death_undoes(query: str) -> None:
    """With `wait` nothing; without, what it had acknowledged in its last moment."""
    lost: list[int] = []
    for _ in range(ROUNDS):
        with watched(replicas=2, within=500) as servers:
            store = store_from_url(servers.url(query))
            old = servers.data[0]
            ended = await _end_until_it_dies(store, old.kill)
            await asyncio.to_thread(at_last, partial(_is_replaced, servers, old))
            await _served(store)
            found = [await store.load(id) for id in ended]
            lost.append(sum(isinstance(stored, Record) for stored in found))
            await store.close()
    print(f"\nlogouts undone by {ROUNDS} deaths, {query or 'without wait'}: {lost}")
    assert not query or sum(lost) == 0


async def _served(store: Any) -> None:
    while True:
        try:
            await store.time()
        except StoreUnavailable:
            await asyncio.sleep(0.01)
        else:
            return


async def _end_until_it_dies(store: Any, kill: Callable[[], None]) -> list[str]:
    """End sessions in many tasks until the store is dead; return those that were acknowledged."""
    records = [make_record() for _ in range(20_000)]
    for start in range(0, len(records), 500):
        await asyncio.gather(*(store.save(one, None) for one in records[start : start + 500]))
    ended: list[str] = []

    async def end() -> None:
        while records:
            record = records.pop()
            try:
                await store.end(make_tombstone(record.id))
            except StoreUnavailable:
                return
            ended.append(record.id)

    ending = asyncio.gather(*(end() for _ in range(32)))
    await until(lambda: len(ended) > 500)
    await asyncio.to_thread(kill)
    await ending
    assert records, "it outlived the test"
    return ended


async def test_a_cluster_is_reshuffled_for_long() -> None:
    """Every slot that holds anything moves round, six times, and masters die in between."""
    with clustered(masters=3, replicas=0, within=HASTY) as nodes:
        async with traffic(nodes.url()) as (shop, customers):
            await until(lambda: all(customer.acknowledged > 5 for customer in customers))
            for turn in range(6):
                source, target = nodes.masters[turn % 3], nodes.masters[(turn + 1) % 3]
                await asyncio.to_thread(_move_all, nodes, source, target)
                beside = await shop.sessions.count() - len(customers)
                assert 0 <= beside <= len(customers), "who comes and goes"
            statuses = {answer.status for one in customers for answer in one.answers}
            assert statuses == {200}


def _move_all(nodes: Nodes, source: Any, target: Any) -> None:
    slots = {key_slot(key) for key in ask(source, "KEYS", "*")}
    nodes.move(sorted(slots), source, target)


@pytest.mark.parametrize("round", range(ROUNDS))
async def test_a_masters_death_in_a_cluster(round: int) -> None:
    with clustered(masters=3, replicas=4, within=HASTY) as nodes:
        async with traffic(nodes.url("wait=1")) as (shop, customers):
            await until(lambda: all(customer.acknowledged > 5 for customer in customers))
            dead = nodes.masters[0]
            await asyncio.to_thread(dead.kill)
            await asyncio.to_thread(at_last, lambda: nodes.has_replaced(dead))
            took = await first_answer(shop, customers)
            print(f"\nfirst good answers {1000 * took:.0f} ms after a failover")
            assert took <= 1


async def test_a_frozen_master_behind_sentinel() -> None:
    """It is replaced, and when it goes on, nobody asks it any more."""
    with watched(replicas=2, within=500) as servers:
        query = "socket_timeout=0.5&socket_connect_timeout=0.5"
        store = store_from_url(servers.url(query))
        record = make_record()
        await store.save(record, None)
        old = servers.data[0]
        with old.frozen():
            await asyncio.to_thread(at_last, lambda: _is_replaced(servers, old))
            start = time.perf_counter()
            while True:
                try:
                    newer = next_version(record)
                    await store.save(newer, record)
                    break
                except StoreUnavailable:
                    continue
            took = time.perf_counter() - start
            print(f"\nfirst good answer {1000 * took:.0f} ms after a frozen master was replaced")
        assert await store.load(record.id) == newer
        await store.close()
