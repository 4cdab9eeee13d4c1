"""One clock for all servers, and limits that hold to the millisecond (T4, T5, R-030, R-031, R-035).

Servers differ by five minutes, far more than any limit here allows for.
"""

import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import pytest
import redis.asyncio

from coatcheck import Policy, Session, Sessions, Store, Token, store_from_url
from coatcheck.clock import StoreClock, system
from coatcheck.core.policy import GRACE
from coatcheck.core.record import Record
from coatcheck.errors import Unauthenticated
from coatcheck.testing import Clock
from tests.chaos.shop import Shop
from tests.servers import Server

SKEW = 300_000
MINUTE = 60_000
IDLE, ABSOLUTE = 30 * MINUTE, 720 * MINUTE
SHARE = IDLE // 20
Act = Callable[[Sessions, Token, Clock], Awaitable[None]]
BOTH_WAYS = pytest.mark.parametrize("ahead", [SKEW, -SKEW])


class _Timed:
    """A store with a clock that is moved by hand."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def time(self) -> int:
        return self._clock()


def server(store: Store, local: Callable[[], int], policy: Policy | None = None) -> Sessions:
    """Return the sessions of a server with a clock of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coatcheck.sessions.StoreClock", lambda: StoreClock(local))
        return Sessions(store, policy=policy)


@pytest.fixture
def timed(store: Store, clock: Clock) -> Store:
    return cast("Store", _Timed(store, clock))


async def sign_in(sessions: Sessions) -> Token:
    session = await sessions.open(None)
    return await finish_sign_in(sessions, session)


async def finish_sign_in(sessions: Sessions, session: Session) -> Token:
    session.sign_in("alice")
    token = (await sessions.commit(session)).token
    assert token is not None
    return token


async def is_alive(sessions: Sessions, token: Token) -> bool:
    """Look without being active."""
    return (await sessions.open(token, is_activity=False)).subject is not None


class TestServersThatDiffer:
    @BOTH_WAYS
    async def test_agree_on_redis(self, redis: Server, ahead: int) -> None:
        """With an idle time shorter than the difference, by Redis's own clock.

        Fails when a server goes by its own clock: it finds everybody else's sessions expired.
        """
        url = f"redis://127.0.0.1:{redis.port}/0?prefix={uuid.uuid4().hex}"
        policy = Policy(idle=timedelta(minutes=1))
        right = server(store_from_url(url), system, policy)
        wrong = server(store_from_url(url), lambda: system() + ahead, policy)
        for one, other in ((right, wrong), (wrong, right)):
            session = await other.open(await sign_in(one))
            assert session.subject == "alice"
            assert session.seen_at is not None
            assert abs(session.seen_at.timestamp() * 1000 - system()) < 5_000
        await right.close()
        await wrong.close()

    @BOTH_WAYS
    async def test_end_a_session_at_the_same_moment(
        self, timed: Store, clock: Clock, ahead: int
    ) -> None:
        """Fails when a server goes by its own clock."""
        right, wrong = server(timed, clock), server(timed, lambda: clock() + ahead)
        for one, other in ((right, wrong), (wrong, right)):
            token = await sign_in(one)
            clock.move(milliseconds=IDLE - 1)
            assert await is_alive(one, token)
            assert await is_alive(other, token)
            clock.move(milliseconds=1)
            assert not await is_alive(one, token)
            assert not await is_alive(other, token)

    @BOTH_WAYS
    @pytest.mark.parametrize("is_warm", [True, False])
    async def test_end_all_of_one_is_exact_for_a_login_at_the_other(
        self, timed: Store, clock: Clock, ahead: int, is_warm: bool
    ) -> None:
        """Also when it is the first thing the server does.

        Fails when the time of opening is not corrected once the store's clock is known.
        """
        right, wrong = server(timed, clock), server(timed, lambda: clock() + ahead)
        if is_warm:
            await sign_in(wrong)
        early = await wrong.open(None)
        clock.move(seconds=1)
        await right.end_all("alice")
        clock.move(seconds=1)
        with pytest.raises(Unauthenticated):
            await finish_sign_in(wrong, early)
        assert await is_alive(right, await sign_in(wrong))

    @BOTH_WAYS
    async def test_end_all_is_exact_for_a_login_before_the_server_knew_the_time(
        self, timed: Store, clock: Clock, ahead: int
    ) -> None:
        """A server has just started; while a password is checked another request asks the store.

        Fails when a request keeps a time of opening that was taken by another clock.
        """
        right, wrong = server(timed, clock), server(timed, lambda: clock() + ahead)
        early = await wrong.open(None)
        await sign_in(wrong)
        if ahead > 0:
            clock.move(seconds=1)
            await right.end_all("alice")
            with pytest.raises(Unauthenticated):
                await finish_sign_in(wrong, early)
        else:
            clock.move(seconds=-2)
            await right.end_all("alice")
            clock.move(seconds=2)
            assert await is_alive(right, await finish_sign_in(wrong, early))

    @BOTH_WAYS
    async def test_are_corrected_again_when_a_clock_is_set(
        self, timed: Store, clock: Clock, ahead: int
    ) -> None:
        """Within a minute. Fails when the store is asked only once."""
        skew = 0
        wrong = server(timed, lambda: clock() + skew)
        token = await sign_in(wrong)
        skew = ahead
        clock.move(minutes=1)
        clock.move(milliseconds=IDLE - MINUTE - 1)
        assert await is_alive(wrong, token)


class TestLimits:
    @pytest.mark.parametrize("at", [0, 1_000, SHARE - 1, SHARE, SHARE + 1, IDLE - 1])
    async def test_activity_counts_for_the_idle_time_less_a_share(
        self, sessions: Sessions, clock: Clock, at: int
    ) -> None:
        """Fails when a touch is put off for longer than its share (T4)."""
        token = await sign_in(sessions)
        clock.move(milliseconds=at)
        await sessions.commit(await sessions.open(token))
        await sessions.flush()
        clock.move(milliseconds=IDLE - SHARE)
        assert await is_alive(sessions, token)
        clock.move(milliseconds=SHARE)
        assert not await is_alive(sessions, token)

    async def test_29_minutes_are_short_enough_again_and_again_and_31_too_long(
        self, shop: Shop, clock: Clock
    ) -> None:
        """Fails when reading does not restart the idle time."""
        cookie = (await shop.send("/login/alice")).cookie
        for _ in range(3):
            clock.move(minutes=29)
            assert (await shop.send("/read", cookie)).body["subject"] == "alice"
        clock.move(minutes=31)
        assert (await shop.send("/read", cookie)).body["subject"] is None

    async def test_a_session_that_is_polled_ends_at_its_absolute_limit(
        self, shop: Shop, clock: Clock
    ) -> None:
        """Neither reads, writes nor rotations put it off.

        Fails when the absolute end moves with a save.
        """
        cookie = (await shop.send("/login/alice")).cookie
        for minute in range(1, 720):
            clock.move(minutes=1)
            path = {0: "/rotate", 30: "/count"}.get(minute % 60, "/read")
            answer = await shop.send(path, cookie)
            assert answer.status == 200
            cookie = answer.cookie if path == "/rotate" else cookie
        assert (await shop.send("/read", cookie)).body["subject"] == "alice"
        clock.move(minutes=1)
        assert (await shop.send("/read", cookie)).body["subject"] is None

    async def test_an_expired_record_opens_nothing_though_it_was_never_swept(
        self, sessions: Sessions, store: Store, clock: Clock
    ) -> None:
        """Fails when expiry is left to the sweeper or to the key's time to live (R-035)."""
        token = await sign_in(sessions)
        clock.move(milliseconds=IDLE)
        assert isinstance(await store.load(token.id), Record)
        assert not await is_alive(sessions, token)
        assert await sessions.list("alice") == []

    async def test_loading_and_saving_keeps_the_end(
        self, store: Store, sessions: Sessions, clock: Clock
    ) -> None:
        """Not even another policy moves what was granted (R-035).

        Fails when a save takes its limits from the policy.
        """
        token = await sign_in(sessions)
        granted = await store.load(token.id)
        clock.move(minutes=1)
        shorter = Policy(idle=timedelta(minutes=1), absolute=timedelta(hours=1))
        changed = Sessions(store, policy=shorter, clock=clock)
        session = await changed.open(token)
        session["seen"] = True
        await changed.commit(session)
        stored = await store.load(token.id)
        assert isinstance(granted, Record)
        assert isinstance(stored, Record)
        assert (stored.ends_at, stored.idle) == (granted.ends_at, granted.idle)


async def saved(sessions: Sessions, token: Token, clock: Clock) -> None:
    clock.move(minutes=20)
    session = await sessions.open(token)
    session["seen"] = clock()
    await sessions.commit(session)


async def touched(sessions: Sessions, token: Token, clock: Clock) -> None:
    clock.move(minutes=20)
    await sessions.commit(await sessions.open(token))
    await sessions.flush()


async def saved_near_the_end(sessions: Sessions, token: Token, clock: Clock) -> None:
    for _ in range(35):
        await saved(sessions, token, clock)


async def stepped_up(sessions: Sessions, token: Token, clock: Clock) -> None:
    clock.move(minutes=20)
    session = await sessions.open(token)
    session.step_up(2)
    await sessions.commit(session)


async def saved_without_activity(sessions: Sessions, token: Token, clock: Clock) -> None:
    clock.move(minutes=20)
    session = await sessions.open(token, is_activity=False)
    session["polled"] = True
    await sessions.commit(session)


async def saved_slowly(sessions: Sessions, token: Token, clock: Clock) -> None:
    session = await sessions.open(token)
    session["seen"] = True
    clock.move(minutes=20)
    await sessions.commit(session)


@pytest.mark.parametrize("store_url", ["redis"], indirect=True)
@pytest.mark.parametrize(
    "act",
    [
        saved,
        touched,
        stepped_up,
        saved_near_the_end,
        saved_without_activity,
        saved_slowly,
    ],
)
async def test_a_key_of_redis_outlives_its_session_by_no_more_than_a_margin(
    redis: Server, store_url: str, store: Store, sessions: Sessions, clock: Clock, act: Act
) -> None:
    """R-035. What is saved long after the activity that counts gets the time from then once more.

    The record decides about its end. Fails when a key is given more.
    """
    token = await sign_in(sessions)
    await act(sessions, token, clock)
    record = await store.load(token.id)
    assert isinstance(record, Record)
    left = record.expires_at - clock()
    async with client_of(redis) as client:
        life = await client.pttl(f"{store_url.rpartition('=')[2]}:s:{token.id}")
    late = clock() - record.seen_at
    assert left < life <= left + late + GRACE


def client_of(server: Server) -> redis.asyncio.Redis:
    return redis.asyncio.Redis(port=server.port)
