"""Activity is recorded behind the answers, and never at the cost of a request that was in time."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from coatcheck import BlockingSessions, Done, Policy, Session, Sessions, Store
from coatcheck.clock import GivenClock
from coatcheck.codec import MessagePackCodec
from coatcheck.core.envelope import Checked
from coatcheck.core.record import Record
from coatcheck.core.settings import Settings
from coatcheck.errors import StoreUnavailable
from coatcheck.parts import Parts
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock, make_record
from coatcheck.touches import Touches
from coatcheck.web.asgi import App, Message, Receive, Scope, Send, SessionMiddleware
from tests.sessions.browser import Browser, twin

MINUTE = 60_000
IDLE = 30 * MINUTE
SHARE = 90_000
EDGE = SHARE + MINUTE  # a share of the idle time and the longest request


class TouchedStore(MemoryStore):
    """Notes each touch, and fails them on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.touched: list[int] = []
        self.is_touched = asyncio.Event()
        self.fails = False

    async def touch(self, record: Record, seen_at: int, /) -> None:
        if self.fails:
            raise StoreUnavailable("gone")
        self.touched.append(seen_at)
        await super().touch(record, seen_at)
        self.is_touched.set()


@pytest.fixture
def store() -> TouchedStore:
    return TouchedStore()


@pytest.fixture
def sessions(store: TouchedStore, clock: Clock) -> Sessions:
    return Sessions(store, policy=Policy(renew_after=None), clock=clock)


@pytest.fixture
async def browser(sessions: Sessions) -> Browser:
    browser = Browser(sessions)
    await browser.sign_in("alice", cart="hat")
    return browser


def touches_of(store: Store, clock: Clock) -> Touches:
    settings = Settings(MessagePackCodec(), Policy(), Checked(), {})
    return Touches(Parts(store, settings, GivenClock(clock)), behind=True)


async def read(browser: Browser) -> Done | None:
    outcome = (await browser.finish(await browser.send())).outcome
    return outcome.done if outcome else None


async def test_no_answer_waits_for_a_touch(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    """Fails when it is written before the commit returns."""
    clock.move(minutes=5)
    assert await read(browser) is Done.TOUCHED
    assert store.touched == []
    await browser.sessions.flush()
    assert store.touched == [clock.ms]


async def test_a_touch_lands_by_itself(
    browser: Browser, store: TouchedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T3, within a bound. Fails when it waits for the next request, or for the shutdown."""
    monkeypatch.setattr("coatcheck.touches.BEHIND", 0)
    clock.move(minutes=5)
    await read(browser)
    async with asyncio.timeout(60):
        await store.is_touched.wait()
    assert await read(browser) is Done.KEPT


async def test_many_requests_at_once_are_one_touch_the_latest(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    clock.move(minutes=5)
    opened: list[Session] = []
    for _ in range(20):
        clock.move(milliseconds=1)
        opened.append(await browser.send())
    for session in reversed(opened):
        await browser.finish(session)
    await browser.sessions.flush()
    assert store.touched == [clock.ms]


@pytest.mark.parametrize(
    ("left", "touched_before"),
    [(IDLE - SHARE, 0), (EDGE + 1, 0), (EDGE, 0), (EDGE - 1, 1), (1_000, 1), (1, 1)],
)
async def test_near_the_end_the_touch_comes_before_the_handler(
    browser: Browser, store: TouchedStore, clock: Clock, left: int, touched_before: int
) -> None:
    """T2, M5. Fails when a request that was in time may run beyond the end it was to put off."""
    clock.move(milliseconds=IDLE - left)
    session = await browser.send()
    assert session.subject == "alice"
    assert len(store.touched) == touched_before
    await browser.finish(session)
    await browser.sessions.flush()
    assert store.touched == [clock.ms], "and only once"


async def test_a_long_request_near_the_end_keeps_the_session_for_the_next(
    browser: Browser, clock: Clock
) -> None:
    """T2. Fails when the session is over for others while the request that renews it runs."""
    clock.move(milliseconds=IDLE - 1)
    slow = await browser.send()
    clock.move(minutes=20)
    assert (await twin(browser).see())[0] == "alice"
    slow["cart"] = "coat"
    assert (await browser.finish(slow)).status == 200
    assert await browser.see() == ("alice", {"cart": "coat"})


async def test_a_short_idle_time_is_always_near_its_end(store: TouchedStore, clock: Clock) -> None:
    browser = Browser(Sessions(store, clock=clock, policy=Policy(idle=timedelta(seconds=40))))
    await browser.sign_in("alice")
    clock.move(seconds=30)
    await browser.send()
    assert store.touched == [clock.ms]


async def test_a_socket_near_the_end_is_recorded_at_once(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    """Each commit after the first is activity of its own."""
    session = await browser.send()
    await browser.finish(session)
    clock.move(milliseconds=IDLE - 1)
    await browser.sessions.commit(session)
    assert store.touched == [clock.ms]


async def test_who_is_no_activity_is_not_recorded_even_near_the_end(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    """R-030: fails when a poll puts the end off."""
    clock.move(milliseconds=IDLE - 1)
    session = await browser.send(is_activity=False)
    assert session.subject == "alice"
    await browser.finish(session)
    await browser.sessions.flush()
    assert store.touched == []
    clock.move(milliseconds=1)
    assert (await browser.see())[0] is None


async def test_what_fails_is_tried_again(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    """T3. Fails when a failed touch is forgotten."""
    store.fails = True
    clock.move(minutes=5)
    await read(browser)
    await browser.sessions.flush()
    store.fails = False
    await browser.sessions.flush()
    assert store.touched == [clock.ms]


async def test_of_a_failed_touch_and_a_later_one_the_later_counts(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    store.fails = True
    clock.move(minutes=5)
    await read(browser)
    await browser.sessions.flush()
    clock.move(minutes=5)
    await read(browser)
    store.fails = False
    await browser.sessions.flush()
    assert store.touched == [clock.ms]


class HalfAway(MemoryStore):
    """A cluster without the node that has these."""

    def __init__(self, away: Sequence[Record]) -> None:
        super().__init__()
        self._away = {record.id for record in away}
        self.asked = self.recorded = 0

    async def touch(self, record: Record, seen_at: int, /) -> None:
        self.asked += 1
        if record.id in self._away:
            raise StoreUnavailable("its node is away")
        self.recorded += 1


async def test_who_fails_lets_the_others_go_first_the_next_time(clock: Clock) -> None:
    """Fails when sessions of a cluster's node that is away keep all others from being recorded."""
    records = [make_record() for _ in range(200)]
    store = HalfAway(records[:128])
    touches = touches_of(store, clock)
    for record in records:
        await touches.record(record, record.seen_at + MINUTE)
    for _ in range(3):
        await touches.flush()
    assert store.recorded == 72


async def test_a_round_with_failures_is_over_before_long(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when a server's end waits for a node that is away, once for each batch."""
    monkeypatch.setattr("coatcheck.touches._ROUND", 0)
    records = [make_record() for _ in range(200)]
    store = HalfAway(records[::2])
    touches = touches_of(store, clock)
    for record in records:
        await touches.record(record, record.seen_at + MINUTE)
    await touches.flush()
    assert store.asked == 64


async def test_a_failed_touch_near_the_end_fails_no_request(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    clock.move(milliseconds=IDLE - 1)
    store.fails = True
    session = await browser.send()
    assert session.subject == "alice"
    store.fails = False
    assert (await browser.finish(session)).status == 200
    assert store.touched == [clock.ms], "the commit tried again, and waited"


async def test_closing_writes_what_waits(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    """T3. Fails when a restart costs activity."""
    clock.move(minutes=5)
    await read(browser)
    await browser.sessions.close()
    assert store.touched == [clock.ms]


async def test_closing_waits_for_what_is_being_recorded(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T3: the second is over, and the server shuts down. Fails when `close` closes under it."""
    monkeypatch.setattr("coatcheck.touches.BEHIND", 0)
    begun, may_touch = asyncio.Event(), asyncio.Event()

    class Slow(TouchedStore):
        touched_when_closed = 0

        async def touch(self, record: Record, seen_at: int, /) -> None:
            begun.set()
            await may_touch.wait()
            await super().touch(record, seen_at)

        async def close(self) -> None:
            self.touched_when_closed = len(self.touched)

    store = Slow()
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice")
    clock.move(minutes=5)
    await read(browser)
    await begun.wait()
    closing = asyncio.create_task(browser.sessions.close())
    await asyncio.sleep(0)
    may_touch.set()
    await closing
    assert store.touched_when_closed == 1


async def test_a_store_that_fails_in_its_own_way_is_asked_again(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when any other error than an outage ends the recording for good."""
    monkeypatch.setattr("coatcheck.touches.BEHIND", 0)

    class Broken(TouchedStore):
        is_broken = True

        async def touch(self, record: Record, seen_at: int, /) -> None:
            if self.is_broken:
                self.is_broken = False
                raise LookupError("a bug")
            await super().touch(record, seen_at)

    store = Broken()
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice")
    clock.move(minutes=5)
    await read(browser)
    async with asyncio.timeout(60):
        await store.is_touched.wait()


async def test_a_loop_beside_the_first_records_at_once(
    browser: Browser, store: TouchedStore, clock: Clock
) -> None:
    """It may be gone in a second. Fails when its activity waits for a timer that never comes."""
    clock.move(minutes=5)
    await read(browser)
    await browser.sessions.flush()
    clock.move(minutes=5)
    await asyncio.to_thread(asyncio.run, read(browser))
    assert store.touched[-1] == clock.ms


async def test_blocking_callers_record_at_once_even_where_a_loop_runs(
    store: TouchedStore, clock: Clock
) -> None:
    sessions = BlockingSessions(store, clock=clock)
    session = sessions.open(None)
    session.sign_in("alice")
    token = sessions.commit(session).token
    clock.move(minutes=5)
    sessions.commit(sessions.open(token))
    assert store.touched == [clock.ms]


async def test_one_that_fails_at_the_end_costs_only_its_own(clock: Clock) -> None:
    """T3. Fails when the first failure ends the flush."""

    class Hiccup(TouchedStore):
        async def touch(self, record: Record, seen_at: int, /) -> None:
            if not self.fails:
                return await super().touch(record, seen_at)
            self.fails = False
            raise StoreUnavailable("hiccup")

    store = Hiccup()
    sessions = Sessions(store, clock=clock)
    browsers = [Browser(sessions) for _ in range(100)]
    for number, browser in enumerate(browsers):
        await browser.sign_in(f"user {number}")
    clock.move(minutes=5)
    for browser in browsers:
        await read(browser)
    store.fails = True
    await sessions.close()
    assert len(store.touched) == 99


async def lives(scope: Scope, receive: Receive, send: Send) -> None:
    for state in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{state}"
        await send({"type": f"lifespan.{state}.complete"})


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("I speak HTTP only")


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    """Speak HTTP only."""


@pytest.mark.parametrize("application", [lives, raises, returns])
async def test_a_server_that_shuts_down_writes_what_waits(
    browser: Browser, store: TouchedStore, clock: Clock, application: App
) -> None:
    """T3, for an application that does not close its sessions itself, or has no lifespan at all.

    Fails for these when it is left to the server, which then tells nobody that it shuts down.
    """
    incoming = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    touched: list[tuple[str, int]] = []

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(message: Message) -> None:
        touched.append((message["type"], len(store.touched)))

    clock.move(minutes=5)
    await read(browser)
    middleware = SessionMiddleware(application, sessions=browser.sessions)
    await middleware({"type": "lifespan"}, receive, send)
    assert touched == [("lifespan.startup.complete", 0), ("lifespan.shutdown.complete", 1)]


async def test_an_application_that_fails_to_start_still_fails(sessions: Sessions) -> None:
    """Fails when its lifespan is taken over though it speaks it."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise ValueError("no database")

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    with pytest.raises(ValueError, match="no database"):
        await SessionMiddleware(application, sessions=sessions)({"type": "lifespan"}, receive, send)


async def test_closing_waits_for_what_is_being_saved(clock: Clock) -> None:
    """J6: a request was cancelled in mid-save, and the server shuts down."""
    begun, may_save = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStore):
        saved = saved_when_closed = 0

        async def save(self, record: Record, base: Record | None, /) -> None:
            if base is not None:
                begun.set()
                await may_save.wait()
            await super().save(record, base)
            self.saved = record.version

        async def close(self) -> None:
            self.saved_when_closed = self.saved

    store = Slow()
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice")
    request = asyncio.create_task(browser.put(late=1))
    await begun.wait()
    request.cancel()
    closing = asyncio.create_task(browser.sessions.close())
    await asyncio.sleep(0)
    may_save.set()
    await closing
    assert store.saved_when_closed == 2
