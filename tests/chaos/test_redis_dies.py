"""Redis is killed while requests are under way, and comes back (R-020).

It writes its append-only file before it answers, so what was acknowledged must be there afterwards.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Generator

import pytest

from coatcheck import Happened, store_from_url
from tests.chaos.customer import Customer, is_unavailable, until
from tests.chaos.shop import Answer, Shop
from tests.servers import Server, redis_server

CLIENTS = 8


@pytest.fixture
def mortal() -> Generator[Server]:
    """A Redis of one's own, to kill."""
    with redis_server() as server:
        yield server


@pytest.fixture
async def shop(mortal: Server) -> AsyncGenerator[Shop]:
    shop = Shop(store_from_url(f"redis://127.0.0.1:{mortal.port}/0"))
    yield shop
    await shop.close()


async def test_an_outage_signs_nobody_out_and_loses_nothing(shop: Shop, mortal: Server) -> None:
    """Fails when an unavailable store is taken for an absent session, or acknowledges too early."""
    customers = [Customer(shop, f"user{n}") for n in range(CLIENTS)]
    for customer in customers:
        await customer.sign_in()
    over = asyncio.Event()
    traffic = [asyncio.create_task(customer.shop_until(over)) for customer in customers]
    await until(lambda: all(customer.acknowledged > 5 for customer in customers))
    await asyncio.to_thread(mortal.kill)
    await until(lambda: all(customer.unsure > 5 for customer in customers))
    before = [customer.acknowledged for customer in customers]
    await asyncio.to_thread(mortal.start)
    await until(lambda: all(c.acknowledged > b for c, b in zip(customers, before, strict=True)))
    over.set()
    await asyncio.gather(*traffic)

    answers = [answer for customer in customers for answer in customer.answers]
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 503}
    assert all(answer.cookies == [] for answer in answers)
    assert all(is_unavailable(answer) for answer in answers if answer.status == 503)
    for customer in customers:
        await customer.check()


async def test_a_login_during_the_outage_is_503_without_a_cookie(
    shop: Shop, mortal: Server
) -> None:
    """Fails when a session is handed out that no store has (R-020: no new id is issued)."""
    await shop.send("/login/bob")
    await asyncio.to_thread(mortal.kill)
    for path in ("/login/alice", "/add/apple"):
        assert is_unavailable(await shop.send(path))
    await asyncio.to_thread(mortal.start)
    assert await shop.sessions.count() == 1
    assert (await shop.send("/login/alice")).status == 200


async def test_a_logout_during_the_outage_is_503_and_ends_nothing(
    shop: Shop, mortal: Server
) -> None:
    """Fails when an `end` that did not happen is answered as one that did."""
    cookie = (await shop.send("/login/alice")).cookie
    slow = await shop.hold("/logout", cookie)
    await asyncio.to_thread(mortal.kill)
    assert is_unavailable(await slow.finish())
    assert is_unavailable(await shop.send("/logout", cookie))
    assert shop.happened(Happened.ENDED) == 0
    await asyncio.to_thread(mortal.start)
    assert (await shop.send("/read", cookie)).body["subject"] == "alice"


async def test_logouts_that_were_acknowledged_hold(shop: Shop, mortal: Server) -> None:
    """Redis dies in the midst of fifty logouts: the answers tell which are to be done again."""
    cookies = [(await shop.send(f"/login/user{n}")).cookie for n in range(50)]
    held = {cookie: await shop.hold("/logout", cookie) for cookie in cookies[:10]}
    answers: dict[str, Answer] = {}

    async def log_out(cookie: str) -> None:
        answers[cookie] = await shop.send("/logout", cookie)

    logouts = asyncio.gather(*map(log_out, cookies[10:]))
    await until(lambda: len(answers) >= 5)
    await asyncio.to_thread(mortal.kill)
    await logouts
    answers |= {cookie: await logout.finish() for cookie, logout in held.items()}
    await asyncio.to_thread(mortal.start)
    assert {answer.status for answer in answers.values()} == {200, 503}
    for cookie, answer in answers.items():
        if answer.status == 200:
            assert len(answer.cookies) == 1
            assert (await shop.send("/read", cookie)).body["subject"] is None
        else:
            assert is_unavailable(answer)


async def test_the_first_requests_after_a_restart_are_served(shop: Shop, mortal: Server) -> None:
    """Fails when a pool hands out connections that the restart has closed.

    As redis-py's asyncio pool does while maintenance notifications are on, its default.
    """
    cookie = (await shop.send("/login/alice")).cookie
    await at_once(shop, cookie)
    await asyncio.to_thread(mortal.kill)
    await asyncio.to_thread(mortal.start)
    assert await at_once(shop, cookie) == [200] * CLIENTS


async def at_once(shop: Shop, cookie: str) -> list[int]:
    """Send requests that need a connection each, and return their statuses."""
    answers = await asyncio.gather(*(shop.send("/read", cookie) for _ in range(CLIENTS)))
    return [answer.status for answer in answers]
