"""Redis is full, frozen or slow, or its connection breaks in the middle of a reply."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator

import pytest

from coatcheck import BlockingSessions, Sessions, store_from_url
from coatcheck.doctor.examination import examine
from coatcheck.doctor.order import Order
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import Clock, make_record
from coatcheck.waiting import Kind
from tests.chaos.customer import Customer, is_unavailable, until
from tests.chaos.shop import Shop
from tests.chaos.wire import Wire
from tests.doctor.conftest import serious
from tests.kinds import FORMS
from tests.redis_topologies import USER, evict_all, info
from tests.redis_topologies import ask as command
from tests.servers import Server, redis_server
from tests.threads import ask

HASTY = "socket_timeout=1&socket_connect_timeout=1"


def fill(server: Server) -> None:
    """Have no memory left, even when a buffer is given back."""
    command(server, "CONFIG", "SET", "maxmemory", 1)


@pytest.fixture
def server() -> Generator[Server]:
    with redis_server("--appendonly", "no") as server:
        yield server


@pytest.fixture
async def shop(server: Server) -> AsyncGenerator[Shop]:
    shop = Shop(store_from_url(f"redis://127.0.0.1:{server.port}/0"))
    yield shop
    await shop.close()


async def test_a_full_redis_refuses_new_sessions_and_ends_old_ones(
    shop: Shop, server: Server
) -> None:
    """Fails when a logout is refused with all that needs memory, or the error says nothing."""
    alice, bob, carol = [(await shop.send(f"/login/{name}")).cookie for name in "abc"]
    await asyncio.to_thread(fill, server)
    assert is_unavailable(await shop.send("/login/dave"))
    assert is_unavailable(await shop.send("/add/apple"))
    store = store_from_url(f"redis://127.0.0.1:{server.port}/0")
    with pytest.raises(StoreUnavailable, match=r"OutOfMemory.*used memory > 'maxmemory'"):
        await store.save(make_record(), None)
    await store.close()
    assert (await shop.send("/read", alice)).body["subject"] == "a"
    assert (await shop.send("/logout", alice)).status == 200
    assert await shop.sessions.end_all("b") == 1
    for ended in (alice, bob):
        assert (await shop.send("/read", ended)).body["subject"] is None
    assert (await shop.send("/read", carol)).body["subject"] == "c"
    await asyncio.to_thread(command, server, "CONFIG", "SET", "maxmemory", 0)
    assert (await shop.send("/login/dave")).status == 200


async def test_doctor_reports_a_redis_that_evicts(shop: Shop, server: Server) -> None:
    """Before it evicts, by its policy, and afterwards, by what is gone."""
    url = f"redis://127.0.0.1:{server.port}/0"
    await asyncio.to_thread(command, server, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    before = await asyncio.to_thread(examine, Order(store=url))
    assert "eviction" in serious(before)
    assert "threw" not in str(before.findings)
    cookies = [(await shop.send(f"/login/user{n}")).cookie for n in range(20)]
    await asyncio.to_thread(fill, server)
    while await asyncio.to_thread(info, server, "evicted_keys") == "0":
        await shop.send("/login/another")
    statuses = {(await shop.send("/read", cookie)).status for cookie in cookies}
    assert statuses == {200}, "who was thrown out is a visitor, nobody else's session"
    after = await asyncio.to_thread(examine, Order(store=url))
    assert "threw" in str(after.findings)


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("may_ask", [True, False])
async def test_an_application_reports_a_redis_that_evicts(
    server: Server, clock: Clock, caplog: pytest.LogCaptureFixture, kind: Kind, may_ask: bool
) -> None:
    """In its log and as an event, once; one whose user may not ask goes on without a word.

    Fails when the sweeper does not look, tells what went before the application was there, or takes
    the refusal for an outage.
    """

    async def sign_in(name: str) -> None:
        if isinstance(sessions, BlockingSessions):
            await asyncio.to_thread(sign_in_blocking, sessions, name)
        else:
            session = await sessions.open(None)
            session.sign_in(name)
            await sessions.commit(session)

    await asyncio.to_thread(command, server, "SET", "key", "of another application")
    assert await asyncio.to_thread(evict_all, server) == 1
    rules = [rule for rule in USER if may_ask or rule != "+info"]
    await asyncio.to_thread(command, server, "ACL", "SETUSER", "shop", "reset", *rules)
    url = f"redis://shop:shop-password@127.0.0.1:{server.port}/0"
    store = store_from_url(url, blocking=kind is Kind.BLOCKING)
    user = BlockingSessions if kind is Kind.BLOCKING else Sessions
    sessions = user(store, clock=clock)
    await sign_in("alice")
    evicted = await asyncio.to_thread(evict_all, server)
    for _ in range(2):
        clock.move(minutes=1)
        await sign_in("bob")
    warnings = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    told = f"records_evicted id=None subject=None actor=system count={evicted}"
    assert warnings == [told] * may_ask
    await ask(store, store.close())


def sign_in_blocking(sessions: BlockingSessions, name: str) -> None:
    session = sessions.open(None)
    session.sign_in(name)
    sessions.commit(session)


async def test_a_frozen_redis_is_an_outage_and_mixes_nothing_up(server: Server) -> None:
    """Its late answers reach nobody. Fails when a connection that waited in vain is used on."""
    shop = Shop(store_from_url(f"redis://127.0.0.1:{server.port}/0?{HASTY}"))
    customers = [Customer(shop, f"user{n}") for n in range(8)]
    for customer in customers:
        await customer.sign_in()
    over = asyncio.Event()
    traffic = [asyncio.create_task(customer.shop_until(over)) for customer in customers]
    await until(lambda: all(customer.acknowledged > 5 for customer in customers))
    with server.frozen():
        await until(lambda: all(customer.unsure > 1 for customer in customers))
    before = [customer.acknowledged for customer in customers]
    await until(lambda: all(c.acknowledged > b for c, b in zip(customers, before, strict=True)))
    over.set()
    await asyncio.gather(*traffic)
    for customer in customers:
        await customer.check()
    answers = [answer for customer in customers for answer in customer.answers]
    assert all(is_unavailable(answer) for answer in answers if answer.status != 200)
    await shop.close()


@pytest.mark.parametrize("kind", FORMS)
async def test_a_reply_that_breaks_off_poisons_nothing(redis: Server, kind: Kind) -> None:
    """Fails when what is left of a reply, or its connection, is used for the next command."""
    async with Wire(redis.port) as between:
        url = f"redis://127.0.0.1:{between.port}/0"
        store = RedisStore.from_url(url, kind=kind)

        one, other = (make_record(payload=letter * 500) for letter in (b"1", b"2"))
        for record in (one, other):
            await ask(store, store.save(record, None))
        for cut in (1, 10, 100, 300):
            between.cut = cut
            with pytest.raises(StoreUnavailable):
                await ask(store, store.load(one.id))
            between.cut = None
            assert await ask(store, store.load(other.id)) == other
        await ask(store, store.close())


@pytest.mark.parametrize("kind", FORMS)
async def test_a_slow_redis_is_waited_for_so_long_and_no_longer(redis: Server, kind: Kind) -> None:
    """Each answer takes three seconds more: who waits for one sees it, who does for less does not.

    Fails when the time limit is not the URL's, or an answer that came too late reaches the next.
    """
    async with Wire(redis.port) as between:
        record = make_record()

        url = f"redis://127.0.0.1:{between.port}/0?socket_timeout="
        hasty, patient = (RedisStore.from_url(f"{url}{limit}", kind=kind) for limit in (1, 60))
        await ask(hasty, hasty.save(record, None))
        await ask(patient, patient.save(record, None))
        between.delay = 3
        found = await asyncio.gather(
            ask(hasty, hasty.load(record.id)),
            ask(patient, patient.load(record.id)),
            return_exceptions=True,
        )
        assert isinstance(found[0], StoreUnavailable)
        assert found[1] == record
        between.delay = 0
        assert await ask(hasty, hasty.load(record.id)) == record
        for store in (hasty, patient):
            await ask(store, store.close())
