"""A cluster loses a master, moves slots and grows, while requests are under way."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest
from redis.crc import key_slot

from coatcheck import store_from_url
from coatcheck.clock import StoreClock, system
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import make_record
from coatcheck.waiting import Kind
from tests.chaos.customer import Customer, is_unavailable, until
from tests.chaos.shop import Shop
from tests.kinds import FORMS
from tests.redis_topologies import Nodes, ask, clustered
from tests.redis_topologies import until as at_last
from tests.threads import run_as

CLIENTS = 8


@pytest.fixture
def nodes() -> Generator[Nodes]:
    """Three masters, of which the first has two replicas, as what waits for one needs."""
    with clustered(masters=3, replicas=4) as nodes:
        yield nodes


@pytest.fixture
def masters() -> Generator[Nodes]:
    """Three masters, to move slots between."""
    with clustered() as nodes:
        yield nodes


async def customers_of(shop: Shop, now_and_then: int = 8) -> list[Customer]:
    customers = [Customer(shop, f"user{n}", now_and_then) for n in range(CLIENTS)]
    for customer in customers:
        await customer.sign_in()
    return customers


async def test_a_masters_death_costs_the_time_of_the_failover(nodes: Nodes) -> None:
    """And only those whose sessions it had. Fails when nobody asks who has the slots now."""
    shop = Shop(store_from_url(nodes.url("wait=1")))
    customers = await customers_of(shop)
    over = asyncio.Event()
    traffic = [asyncio.create_task(customer.shop_until(over)) for customer in customers]
    await until(lambda: all(customer.acknowledged > 5 for customer in customers))
    dead = nodes.masters[0]
    await asyncio.to_thread(dead.kill)
    await asyncio.to_thread(nodes.replace, dead)
    for customer in customers:
        assert (await shop.send("/read", customer.cookie)).status == 200
    before = [customer.acknowledged for customer in customers]
    await until(lambda: all(c.acknowledged > b for c, b in zip(customers, before, strict=True)))
    over.set()
    await asyncio.gather(*traffic)
    answers = [answer for customer in customers for answer in customer.answers]
    assert set(Counter(answer.status for answer in answers)) <= {200, 503}
    assert all(is_unavailable(answer) for answer in answers if answer.status == 503)
    for customer in customers:
        await customer.check()
        assert await shop.sessions.count(customer.name) == 1
    assert await shop.sessions.end_all("user0") == 1
    beside = await shop.sessions.count() - (CLIENTS - 1)
    assert 0 <= beside <= sum(customer.stuck for customer in customers)
    await shop.close()


async def test_a_masters_death_costs_the_sessions_of_the_others_nothing(nodes: Nodes) -> None:
    """With `cluster-require-full-coverage no`, as the page on Redis says.

    Fails without it, when all nodes refuse until the replica is elected, or when a command waits
    for a node that has nothing to do with it, as a new process's for the time of slot 0's.
    """
    dead = nodes.masters[0]
    for node in nodes.servers:
        await asyncio.to_thread(ask, node, "CONFIG", "SET", "cluster-require-full-coverage", "no")
    shop = Shop(store_from_url(nodes.url()))
    customers = [Customer(shop, f"user{n}") for n in range(3 * CLIENTS)]
    others: list[Customer] = []
    for customer in customers:
        answer = await shop.send(f"/login/{customer.name}")
        customer.cookie = answer.cookie
        owner = await asyncio.to_thread(nodes.owner, f"coatcheck:s:{answer.token.id}")
        others += [customer] * (owner is not dead)
    over = asyncio.Event()
    traffic = [asyncio.create_task(customer.shop_until(over)) for customer in others]
    await until(lambda: all(customer.acknowledged > 5 for customer in others))
    await asyncio.to_thread(dead.kill)
    new_process = Shop(store_from_url(nodes.url()))
    assert (await new_process.send("/read", others[0].cookie)).status == 200
    await new_process.close()
    await asyncio.to_thread(nodes.replace, dead)
    over.set()
    await asyncio.gather(*traffic)
    assert {answer.status for customer in others for answer in customer.answers} == {200}
    await shop.close()


@pytest.mark.parametrize("kind", FORMS)
def test_a_process_that_starts_during_a_failover_comes_to_the_new_master(kind: Kind) -> None:
    """Its first command is for the time, and the only master it has heard of is dead.

    Fails when nobody asks for the map again, until the process is restarted.
    """
    with clustered(masters=1, replicas=1) as nodes:
        (dead,), (replica,) = nodes.masters, nodes.replicas
        url = f"{nodes.url()[:-1]},127.0.0.1:{replica.port}"
        dead.kill()
        store = RedisStore.from_url(url, kind=kind)

        async def work() -> None:
            with pytest.raises(StoreUnavailable):
                await store.time()
            ask(replica, "CLUSTER", "FAILOVER", "TAKEOVER")
            at_last(lambda: b"cluster_state:ok" in ask(replica, "CLUSTER", "INFO"))
            begun = system()
            assert begun - 1_000 < await store.time() < system() + 1_000
            await store.close()

        run_as(kind, work())


async def test_a_frozen_node_does_not_put_the_time_off(cluster: Nodes) -> None:
    """T5. Another is asked once that one was given up, and how long that took is not the way there.

    Fails when half of it, a second, is taken for that.
    """
    store = store_from_url(cluster.url())
    clock = StoreClock()
    await clock.measure(store)
    known = clock.offset
    with cluster.owner("fHh").frozen():  # whose slot is 0
        clock.due = 1
        await clock.measure(store)
    assert abs(clock.offset - known) < 700
    assert clock.error < 700
    await store.close()


async def test_slots_move_to_a_new_node_and_nobody_notices(masters: Nodes) -> None:
    """Every session's, and every index, while they are read and written.

    Fails when a command is not sent where the answer says that its key is, or by `ASKING`.
    """
    shop = Shop(store_from_url(masters.url()))
    customers = await customers_of(shop, 200)  # each that comes and goes is a slot more to move
    over = asyncio.Event()
    traffic = [asyncio.create_task(customer.shop_until(over)) for customer in customers]
    await until(lambda: all(customer.acknowledged > 5 for customer in customers))

    def grow() -> None:
        new = masters.add()
        masters.meet(masters.masters[0], new)
        at_last(masters.is_well)
        for node in masters.masters:
            slots = {key_slot(key) for key in ask(node, "KEYS", "*")}
            masters.move(sorted(slots), node, new)

    await asyncio.to_thread(grow)
    before = [customer.acknowledged for customer in customers]
    await until(lambda: all(c.acknowledged > b for c, b in zip(customers, before, strict=True)))
    over.set()
    await asyncio.gather(*traffic)
    assert {answer.status for customer in customers for answer in customer.answers} == {200}
    for customer in customers:
        await customer.check()
    assert [await shop.sessions.count(customer.name) for customer in customers] == [1] * CLIENTS
    assert await shop.sessions.count() == CLIENTS
    assert await shop.sessions.end_all("user0") == 1
    await shop.close()


@pytest.mark.parametrize("kind", FORMS)
def test_a_slot_that_is_half_moved_is_served(
    cluster: Nodes, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By both nodes, as each has some of its keys; what needs both keys of a user waits for them.

    The rest of the move is what happens while it waits.

    Fails when `ASK` is taken for `MOVED`, or `TRYAGAIN` for an outage.
    """

    async def work() -> None:
        store = RedisStore.from_url(cluster.url(f"prefix={uuid.uuid4().hex}"), kind=kind)
        subject = uuid.uuid4().hex
        slot = key_slot(index(store, subject).encode())
        source = cluster.owner(index(store, subject))
        target = next(node for node in cluster.masters if node is not source)
        record = make_record(subject=subject)
        await store.save(record, None)
        assert await store.enlist(record, 1, 0, 0) == [record.id]
        await store.bar(subject, 2)
        ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", cluster.id(source))
        ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", cluster.id(target))
        ask(source, "MIGRATE", "127.0.0.1", target.port, index(store, subject), 0, 5_000)
        assert (await store.page(subject, None, 10)).records == [record]
        waited: list[float] = []

        async def move(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) < 12:  # that would be more than half a second
                return
            if kind is Kind.ASYNCIO:
                await asyncio.to_thread(cluster.move, [slot], source, target)
            else:
                cluster.move([slot], source, target)

        monkeypatch.setattr("coatcheck.stores.redis.cluster.pause", move)
        assert (await store.bar(subject, 3)).previous == 2
        assert len(waited) == 12
        assert (await store.bar(subject, 3)).previous == 3
        await store.close()

    run_as(kind, work())


def index(store: RedisStore, subject: str) -> str:
    named: Any = store
    return str(named._index(subject)[0])


async def test_a_listing_misses_nothing_that_moves(cluster: Nodes) -> None:
    """Fails when a slot that moved to a node that was read already is read nowhere."""
    store = store_from_url(cluster.url(f"prefix={uuid.uuid4().hex}"))
    records = [make_record() for _ in range(60)]
    for record in records:
        await store.save(record, None)
    page = await store.page(None, None, 10)
    seen = {record.id for record in page.records}
    ports = sorted(node.port for node in cluster.masters)
    nodes = {node.port: node for node in cluster.masters}
    first, last = nodes[ports[0]], nodes[ports[-1]]
    while page.next and page.next.split(".")[1] == "0":
        page = await store.page(None, page.next, 10)
        seen |= {record.id for record in page.records}
    slots = {key_slot(key) for key in await asyncio.to_thread(ask, last, "KEYS", "*")}
    await asyncio.to_thread(cluster.move, sorted(slots), last, first)
    while page.next:
        page = await store.page(None, page.next, 10)
        seen |= {record.id for record in page.records}
    assert seen == {record.id for record in records}
    await store.close()


async def test_a_frozen_node_holds_up_nobody_elses_sessions(cluster: Nodes) -> None:
    """Fails when commands of one node wait for another's."""
    store = store_from_url(cluster.url("socket_timeout=30"))
    records: dict[int, Record] = {}
    while len(records) < 3:
        record = make_record()
        await store.save(record, None)
        records.setdefault(cluster.owner(f"coatcheck:s:{record.id}").port, record)
    slow, *others = cluster.masters
    with slow.frozen():
        stuck = asyncio.create_task(store.load(records[slow.port].id))
        for _ in range(100):
            for other in others:
                assert await store.load(records[other.port].id) == records[other.port]
        assert not stuck.done(), "they did not wait for it"
    assert await stuck == records[slow.port]
    await store.close()
