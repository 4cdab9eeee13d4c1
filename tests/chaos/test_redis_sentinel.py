"""The master behind Sentinel dies, or is replaced, while requests are under way."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Generator

import pytest

from coatcheck import store_from_url, writes
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.protocol import Unconfirmed
from coatcheck.testing import make_record, make_tombstone
from coatcheck.waiting import Kind, finish
from tests.chaos.customer import Customer, is_unavailable, until
from tests.chaos.shop import Answer, Shop
from tests.chaos.wire import Loss, Wire
from tests.docs.test_redis_page import block
from tests.kinds import FORMS
from tests.redis_topologies import PATIENT, SERVICE, Watched, ask, info, watched
from tests.redis_topologies import until as at_last
from tests.servers import redis_server
from tests.threads import run_as

CLIENTS = 8


@pytest.fixture
def servers() -> Generator[Watched]:
    """A master and two replicas, as what waits for one needs when the master is gone."""
    with watched(replicas=2) as group:
        yield group


@pytest.fixture
async def shop(servers: Watched) -> AsyncGenerator[Shop]:
    shop = Shop(store_from_url(servers.url("wait=1")))
    yield shop
    await shop.close()


async def test_a_masters_death_costs_the_time_of_the_failover(shop: Shop, servers: Watched) -> None:
    """Nobody is signed out, nothing acknowledged is lost, what was ended stays so.

    The first requests after the failover are served. Fails when a connection is made without asking
    the sentinels, or an end is acknowledged that no replica has.
    """
    customers = [Customer(shop, f"user{n}") for n in range(CLIENTS)]
    for customer in customers:
        await customer.sign_in()
    leaving = [(await shop.send(f"/login/leaver{n}")).cookie for n in range(40)]
    left: dict[str, Answer] = {}

    async def leave() -> None:
        for cookie in leaving:
            left[cookie] = await shop.send("/logout", cookie)

    over = asyncio.Event()
    traffic = [asyncio.create_task(customer.shop_until(over)) for customer in customers]
    await until(lambda: all(customer.acknowledged > 5 for customer in customers))
    old = servers.data[0]
    logouts = asyncio.create_task(leave())
    await until(lambda: len(left) >= 5)
    await asyncio.to_thread(old.kill)
    await until(lambda: all(customer.unsure for customer in customers))
    await asyncio.to_thread(servers.notice, 500)
    await asyncio.to_thread(at_last, lambda: _has_failed_over(servers))
    await asyncio.to_thread(servers.notice, PATIENT)
    for customer in customers:
        assert (await shop.send("/read", customer.cookie)).status == 200
    before = [customer.acknowledged for customer in customers]
    await until(lambda: all(c.acknowledged > b for c, b in zip(customers, before, strict=True)))
    over.set()
    await asyncio.gather(*traffic, logouts)

    answers = [answer for customer in customers for answer in customer.answers]
    assert set(Counter(answer.status for answer in answers)) == {200, 503}
    assert all(answer.cookies == [] for answer in answers)
    assert all(is_unavailable(answer) for answer in answers if answer.status == 503)
    for customer in customers:
        await customer.check()
    for cookie, answer in left.items():
        if answer.status == 200:
            assert (await shop.send("/read", cookie)).body["subject"] is None


def _has_failed_over(servers: Watched) -> bool:
    """Tell whether a sentinel names a new master, which has a replica again."""
    master = servers.master()
    if master is servers.data[0] or info(master, "role") != "master":
        return False
    return info(master, "connected_slaves") == "1"


@pytest.mark.parametrize(("query", "is_paused"), [("wait=1", True), ("wait=2", False)])
async def test_a_planned_failover_loses_nothing(
    servers: Watched, query: str, is_paused: bool
) -> None:
    """By the page's own commands, or where all replicas have what was acknowledged.

    Fails without the pause: the old master acknowledges for a second what the other replica has,
    and only that one, and both throw it away.
    """
    shop = Shop(store_from_url(servers.url(query)))
    customers = [Customer(shop, f"user{n}") for n in range(CLIENTS)]
    for customer in customers:
        await customer.sign_in()
    leaving = [(await shop.send(f"/login/leaver{n}")).cookie for n in range(400)]
    left: list[str] = []
    over = asyncio.Event()

    async def leave() -> None:
        for cookie in leaving:
            if over.is_set():
                break
            if (await shop.send("/logout", cookie)).status == 200:
                left.append(cookie)
            await asyncio.sleep(0.01)  # so that some leave at any time

    traffic = [asyncio.create_task(customer.shop_until(over)) for customer in customers]
    await until(lambda: all(customer.acknowledged > 5 for customer in customers))
    logouts = asyncio.create_task(leave())
    old = servers.data[0]
    pause, failover = (_told(line) for line in block("failover").splitlines())
    if is_paused:
        await asyncio.to_thread(ask, old, *pause)
    await asyncio.to_thread(ask, servers.sentinels[0], *failover)
    await asyncio.to_thread(at_last, lambda: _has_failed_over(servers))
    if is_paused:
        before = [customer.acknowledged for customer in customers]
        await until(lambda: all(c.acknowledged > b for c, b in zip(customers, before, strict=True)))
    over.set()
    await asyncio.gather(*traffic, logouts)
    new = Shop(store_from_url(servers.url()))  # which no connection leads to the old master
    for customer in customers:
        await customer.check(new)
    assert left
    for cookie in left:
        assert (await new.send("/read", cookie)).body["subject"] is None
    for each in (shop, new):
        await each.close()


def _told(line: str) -> list[str]:
    """Return what a line of the page has a server do, about the master of these tests."""
    _, found = re.split(r" -a \S+ ", line)
    return found.replace("mymaster", SERVICE).split()


async def test_a_master_that_was_replaced_is_left(servers: Watched) -> None:
    """While it still is one and takes writes, as it does until a sentinel gets round to it: never.

    Fails when nobody asks the sentinels as long as all connections work.
    """
    old = servers.data[0]
    ask(old, "ACL", "SETUSER", "default", "-replicaof", "-slaveof")
    failed_over = threading.Event()

    async def save_until_it_is_there(kind: Kind) -> None:
        store = store_from_url(servers.url(), blocking=kind is Kind.BLOCKING)
        while True:
            record = make_record()
            try:
                await store.save(record, None)
            except StoreUnavailable:
                continue
            if failed_over.is_set() and ask(servers.master(), "EXISTS", f"coatcheck:s:{record.id}"):
                break
        await store.close()

    saving = [
        asyncio.to_thread(lambda: finish(save_until_it_is_there(Kind.BLOCKING))),
        asyncio.to_thread(lambda: asyncio.run(save_until_it_is_there(Kind.ASYNCIO))),
    ]
    together = asyncio.gather(*saving)
    await asyncio.to_thread(ask, servers.sentinels[0], "SENTINEL", "FAILOVER", SERVICE)
    await asyncio.to_thread(at_last, lambda: servers.master() is not old)
    failed_over.set()
    async with asyncio.timeout(90):
        await together
    assert info(old, "role") == "master"


@pytest.mark.parametrize("kind", FORMS)
async def test_a_refusal_of_a_replica_is_asked_again_elsewhere(kind: Kind) -> None:
    """An address that leads to another server now, without any sentinel: a save is not failed.

    Fails when a connection to what is a replica now goes back to the pool.
    """
    with redis_server() as old, redis_server() as new:
        async with Wire(old.port) as between:
            store = store_from_url(
                f"redis://127.0.0.1:{between.port}/0?max_connections=4",
                blocking=kind is Kind.BLOCKING,
            )

            async def at_once(number: int) -> None:
                saves = [store.save(make_record(), None) for _ in range(number)]
                if kind is Kind.ASYNCIO:
                    await asyncio.gather(*saves)
                else:
                    together = [asyncio.to_thread(finish, save) for save in saves]
                    await asyncio.gather(*together)

            await at_once(8)
            between.server_port = new.port
            await asyncio.to_thread(ask, old, "REPLICAOF", "127.0.0.1", 1)
            await at_once(1)
            await at_once(8)
            if kind is Kind.ASYNCIO:
                await store.close()
            else:
                await asyncio.to_thread(finish, store.close())


@pytest.mark.parametrize("kind", FORMS)
def test_a_replica_that_is_asked_to_wait_is_an_outage(kind: Kind) -> None:
    """Both are refused. Fails when the error in place of a number is taken for one."""

    async def work(port: int) -> None:
        url = f"redis://127.0.0.1:{port}/0?wait=1&wait_timeout=0.05"
        store = store_from_url(url, blocking=kind is Kind.BLOCKING)
        with pytest.raises(StoreUnavailable, match="ReadOnlyError"):
            await store.save(make_record(), None)
        await store.close()

    with redis_server("--replicaof", "127.0.0.1 1") as replica:
        run_as(kind, work(replica.port))


@pytest.mark.parametrize("kind", FORMS)
def test_what_no_replica_has_is_not_acknowledged(behind_sentinel: Watched, kind: Kind) -> None:
    """However often it is asked for; reads are served meanwhile.

    Fails when an end, a save or a bar is answered for without its `WAIT`.
    """

    async def work() -> None:
        query = "wait=2&wait_timeout=0.05"  # there is one
        store = store_from_url(behind_sentinel.url(query), blocking=kind is Kind.BLOCKING)
        record = make_record(subject="alice")
        for _ in range(2):
            with pytest.raises(Unconfirmed):
                await writes.save(store, record, None)  # which looks, and finds it
            with pytest.raises(Unconfirmed):
                await store.enlist(record, 1, 0)
            with pytest.raises(Unconfirmed):
                await store.bar("bob", 1)
        assert await store.load(record.id) == record
        for _ in range(2):
            with pytest.raises(Unconfirmed):
                await store.end(make_tombstone(record.id))
        assert await store.load(record.id) != record
        await store.close()

    run_as(kind, work())


@pytest.mark.parametrize("has_replica", [True, False])
async def test_a_save_without_an_answer_is_not_acknowledged_by_a_look(
    behind_sentinel: Watched, has_replica: bool
) -> None:
    """It waits for a replica as any other does, and nothing is applied twice.

    Fails when the save is looked for where no replica may have it: in a master of yesterday.
    """
    with redis_server() as alone:
        port = behind_sentinel.master().port if has_replica else alone.port
        wait = 1.5 if has_replica else 0.05
        good = store_from_url(f"redis://127.0.0.1:{port}/0")
        await good.save(make_record(), None)  # the first use of a script takes two commands
        async with Wire(port) as between:
            store = store_from_url(f"redis://127.0.0.1:{between.port}/0?wait=1&wait_timeout={wait}")
            for applied in (True, False):
                record = make_record()
                between.losses.append(Loss("save", applied))
                if has_replica:
                    await writes.save(store, record, None)
                else:
                    with pytest.raises(Unconfirmed):
                        await writes.save(store, record, None)
                assert record.is_same_save(await good.load(record.id))
            record, changed = make_record(), make_record()
            between.losses.append(Loss("save", False, lambda: good.save(changed, None)))
            record = record._replace(id=changed.id)
            with pytest.raises(Unconfirmed):
                await writes.save(store, record, None)
            assert changed.is_same_save(await good.load(record.id))
            await store.close()
        await good.close()
