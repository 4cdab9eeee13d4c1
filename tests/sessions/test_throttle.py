"""One client begins so many sessions in a time and no more, whichever server it asks."""

import asyncio
import logging
import subprocess
import sys

import pytest

from coatcheck import (
    BlockingSessions,
    Client,
    Event,
    Happened,
    MemoryStore,
    Policy,
    Rate,
    Session,
    Sessions,
    Store,
    store_from_url,
)
from coatcheck.core.record import NOBODY
from coatcheck.errors import StoreUnavailable, TooManyRequests, TooManySessions
from coatcheck.testing import Clock
from coatcheck.waiting import Kind
from tests.kinds import ON_DATABASES, ON_EVERY, ON_SHARED
from tests.web.spy import Spy

POLICY = Policy(visitor_rate=Rate(3), sign_in_rate=Rate(5))
HERE = Client("192.0.2.1", "curl")
THERE = Client("192.0.2.2", "curl")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def spy(store: Store) -> Spy:
    return Spy(store)


@pytest.fixture
def sessions(spy: Spy, clock: Clock, events: list[Event]) -> Sessions:
    return Sessions(spy.store, clock=clock, policy=POLICY, on_event=events.append)


async def visit(sessions: Sessions, client: Client = HERE) -> Session:
    session = await sessions.open(None, client=client)
    session["cart"] = 1
    await sessions.commit(session)
    return session


async def sign_in(sessions: Sessions, client: Client = HERE) -> Session:
    session = await sessions.open(None, client=client)
    session.sign_in("alice")
    await sessions.commit(session)
    return session


async def test_one_more_is_not_created(
    sessions: Sessions, clock: Clock, events: list[Event]
) -> None:
    """M26. Fails when nobody counts; told once."""
    for _ in range(3):
        await visit(sessions)
    for _ in range(3):
        with pytest.raises(TooManySessions):
            await visit(sessions)
    with pytest.raises(TooManyRequests) as refused:
        await visit(sessions)
    assert 1 <= refused.value.retry_after <= 60
    assert await sessions.count() == 3
    told = [event.facts for event in events if event.kind is Happened.CREATION_LIMITED]
    assert told == [{"network": "192.0.2.1", "of": "visitors", "limit": 3}]
    clock.move(seconds=refused.value.retry_after)
    await visit(sessions)
    assert await sessions.count() == 4


async def test_nobody_else_is_affected(sessions: Sessions) -> None:
    """Fails when all are counted as one, or whoever has a session is counted again."""
    mine = [await visit(sessions) for _ in range(3)]
    with pytest.raises(TooManySessions):
        await visit(sessions)
    await visit(sessions, THERE)
    await sign_in(sessions)
    for session in mine:
        session["cart"] = 2
        await sessions.commit(session)
    assert await sessions.count() == 5


async def test_signing_in_has_a_limit_of_its_own(sessions: Sessions, events: list[Event]) -> None:
    for _ in range(5):
        await sign_in(sessions)
    with pytest.raises(TooManySessions):
        await sign_in(sessions)
    await visit(sessions)
    assert [e.facts["of"] for e in events if e.kind is Happened.CREATION_LIMITED] == ["sign-ins"]
    assert await sessions.count("alice") == 5


async def test_a_visitor_that_may_not_sign_in_stays_one(sessions: Sessions) -> None:
    """Fails when a session that moves is not counted, or the old one is ended first."""
    visitor = await visit(sessions)
    for _ in range(5):
        await sign_in(sessions)
    visitor.sign_in("alice")
    with pytest.raises(TooManySessions):
        await sessions.commit(visitor)
    assert await sessions.count() == 6
    assert await sessions.count("alice") == 5


async def test_a_sign_in_beside_a_session_that_moved_on_is_counted(sessions: Sessions) -> None:
    """It begins a session of its own (P5)."""
    session = await sessions.open(None, client=HERE)
    session.sign_in("alice")
    token = (await sessions.commit(session)).token
    late = await sessions.open(token, client=HERE)
    await sessions.rotate(session)
    for _ in range(4):
        await sign_in(sessions)
    late.sign_in("alice")
    with pytest.raises(TooManySessions):
        await sessions.commit(late)
    assert await sessions.count("alice") == 5


async def test_signing_in_again_begins_no_session(sessions: Sessions) -> None:
    session = await sign_in(sessions)
    for _ in range(6):
        session.sign_in("alice")
        await sessions.commit(session)
    assert await sessions.count("alice") == 1


async def test_a_network_of_ipv6_is_one_client(sessions: Sessions) -> None:
    """Fails when each of its 2**64 addresses has a count of its own."""
    for n in range(3):
        await visit(sessions, Client(f"2001:db8:0:1::{n}"))
    with pytest.raises(TooManySessions):
        await visit(sessions, Client("2001:db8:0:1:ffff::"))
    await visit(sessions, Client("2001:db8:0:2::1"))


async def test_who_is_over_the_limit_costs_the_store_nothing(sessions: Sessions, spy: Spy) -> None:
    """Fails when each refusal is counted in the store."""
    for _ in range(3):
        await visit(sessions)
    with pytest.raises(TooManySessions):
        await visit(sessions)
    spy.calls.clear()
    for _ in range(100):
        with pytest.raises(TooManySessions):
            await visit(sessions)
    assert spy.calls == []


async def test_only_what_is_created_is_counted(sessions: Sessions, spy: Spy) -> None:
    session = await visit(sessions)
    spy.calls.clear()
    for n in range(5):
        session["n"] = n
        await sessions.commit(session)
        await sessions.commit(await sessions.open(None, client=HERE))
    assert "tally" not in spy.calls


async def test_without_a_limit_nothing_is_counted(store: Store, clock: Clock) -> None:
    spy = Spy(store)
    sessions = Sessions(spy.store, clock=clock)
    for _ in range(10):
        await visit(sessions)
    assert "tally" not in spy.calls


@ON_EVERY
async def test_many_at_once_are_counted_one_by_one(sessions: Sessions) -> None:
    """Fails when reading and writing of the counter are two steps."""
    found = await asyncio.gather(*(visit(sessions) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(each, Session) for each in found) == await sessions.count() == 3


@ON_SHARED
async def test_servers_that_share_a_store_count_together(
    store_url: str, clock: Clock, events: list[Event]
) -> None:
    """Fails when the count is kept in the process."""
    stores = [store_from_url(store_url) for _ in range(4)]
    servers = [Sessions(s, clock=clock, policy=POLICY, on_event=events.append) for s in stores]
    created = 0
    for _ in range(3):
        for server in servers:
            try:
                await visit(server)
            except TooManySessions:
                continue
            created += 1
    assert created == 3
    assert [event.kind for event in events].count(Happened.CREATION_LIMITED) == 1
    for each in stores:
        await each.close()


PROCESS = """
import sys
from coatcheck import BlockingSessions, Client, Policy, Rate, store_from_url
from coatcheck.errors import TooManySessions

sys.stdin.readline()
store = store_from_url(sys.argv[1], blocking=True)
now = int(sys.argv[2])
policy = Policy(visitor_rate=Rate(40))
sessions = BlockingSessions(store, policy=policy, clock=lambda: now)
created = 0
for n in range(60):
    session = sessions.open(None, client=Client(f"2001:db8::{n}"))
    session["n"] = n
    try:
        sessions.commit(session)
        created += 1
    except TooManySessions:
        pass
print(created)
"""


@ON_DATABASES
def test_processes_that_share_a_store_count_together(store_url: str, clock: Clock) -> None:
    """Fails when a count is lost between them."""
    command = [sys.executable, "-c", PROCESS, store_url, str(clock())]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    created = [int(process.communicate(timeout=110)[0]) for process in processes]
    store = store_from_url(store_url, blocking=True)
    sessions = BlockingSessions(store)
    assert sum(created) == sessions.count() == 40
    sessions.close()


async def test_an_outage_of_the_counter_is_one_of_the_store(sessions: Sessions, spy: Spy) -> None:
    """Fails when it is taken for leave to create."""
    spy.down = {"tally"}
    with pytest.raises(StoreUnavailable):
        await visit(sessions)
    assert await sessions.count() == 0


async def test_a_count_without_an_answer_is_asked_for_again(clock: Clock) -> None:
    class Flaky(MemoryStore):
        tallies = 0

        async def tally(self, key: str, now: int, until: int, /) -> int:
            self.tallies += 1
            if self.tallies == 1:
                raise StoreUnavailable("reset")
            return await super().tally(key, now, until)

    sessions = Sessions(Flaky(), clock=clock, policy=POLICY)
    await visit(sessions)
    assert await sessions.count() == 1


async def test_a_script_is_no_client(sessions: Sessions) -> None:
    for _ in range(5):
        await visit(sessions, NOBODY)
    assert await sessions.count() == 5


async def test_an_address_that_nobody_knows_is_warned_of(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    """As behind a proxy on a Unix socket: counted as one, it would lock everybody out."""
    with caplog.at_level(logging.WARNING, "coatcheck"):
        for _ in range(5):
            await visit(sessions, Client(None, "curl"))
    said = [r.getMessage() for r in caplog.records if "not limited" in r.getMessage()]
    assert len(said) == 1


async def test_a_clock_that_steps_back_refuses_nobody_for_long(
    sessions: Sessions, clock: Clock
) -> None:
    for _ in range(3):
        await visit(sessions)
    with pytest.raises(TooManySessions):
        await visit(sessions)
    clock.move(hours=-2)
    await visit(sessions)
    clock.move(hours=2)
    with pytest.raises(TooManySessions):
        await visit(sessions)
    clock.move(minutes=1)
    await visit(sessions)


@ON_EVERY
def test_threads_count_as_well(store_url: str, clock: Clock) -> None:
    store = store_from_url(store_url, blocking=True)
    assert store.kind in (Kind.BLOCKING, Kind.EITHER)
    sessions = BlockingSessions(store, clock=clock, policy=POLICY)
    for n in range(5):
        session = sessions.open(None, client=HERE)
        session["n"] = n
        if n < 3:
            sessions.commit(session)
        else:
            with pytest.raises(TooManySessions):
                sessions.commit(session)
    assert sessions.count() == 3
    sessions.close()
