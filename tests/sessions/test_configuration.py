"""Wrong settings and wrong pairings stop the start, and name the setting."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis as blocking_redis
from redis.asyncio import Redis as AsyncioRedis
from redis.asyncio.retry import Retry as AsyncioRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from coatcheck import (
    BlockingSessions,
    Event,
    Happened,
    Holder,
    MemoryStore,
    Policy,
    Sessions,
    SQLiteStore,
    Standing,
    Store,
    store_from_url,
)
from coatcheck.backoff import ATTEMPTS, back_off
from coatcheck.clock import StoreClock
from coatcheck.core.policy import BAR_KEPT, GRACE
from coatcheck.core.record import TOMBSTONE_KEPT, Record
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.parts import Parts
from coatcheck.stores.protocol import Barred
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import Clock, make_record
from coatcheck.waiting import Kind, finish, pause
from coatcheck.web import BearerTransport, CookieTransport
from coatcheck.web.asgi import SessionMiddleware
from tests.servers import Server
from tests.sessions.browser import Browser

NOWHERE = "redis://user:hunter2@127.0.0.1:1"


async def app(*_: Any) -> None: ...


def no_retry() -> AsyncioRetry:
    return AsyncioRetry(NoBackoff(), 0)


WRONG: dict[str, tuple[str, Callable[[], object]]] = {
    "no idle time": ("Policy.idle", lambda: Policy(idle=timedelta(0))),
    "idle as a number": ("Policy.idle", lambda: Policy(idle=1800)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "idle over absolute": ("Policy.idle", lambda: Policy(idle=timedelta(days=2))),
    "no absolute lifetime": ("Policy.absolute", lambda: Policy(absolute=timedelta(0))),
    "touch share": ("Policy.touch_share", lambda: Policy(touch_share=1.5)),
    "size": ("Policy.max_size", lambda: Policy(max_size=0)),
    "no store": ("store", lambda: Sessions("redis://")),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "a blocking client in asyncio": (
        "store",
        lambda: Sessions(store_from_url(NOWHERE, blocking=True)),
    ),
    "an asyncio client in threads": ("store", lambda: BlockingSessions(store_from_url(NOWHERE))),
    "blocking sessions under ASGI": (
        "sessions",
        lambda: SessionMiddleware(app, sessions=BlockingSessions(MemoryStore())),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    ),
    "a client that repeats": ("client", lambda: RedisStore(AsyncioRedis())),
    "a blocking client that repeats": ("client", lambda: RedisStore(blocking_redis.Redis())),
    "a client that decodes": (
        "client",
        lambda: RedisStore(AsyncioRedis(retry=no_retry(), decode_responses=True)),
    ),
    "no client": ("client", lambda: RedisStore("redis://")),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "another scheme": ("url", lambda: store_from_url("mongodb://user:hunter2@host")),
    "no scheme": ("url", lambda: store_from_url("hunter2")),
    "two slashes": ("url", lambda: store_from_url("sqlite://hunter2/x.db")),
    "an option of nobody": ("url", lambda: store_from_url("sqlite:///x.db?mode=ro")),
    "a wrong option": ("url", lambda: store_from_url(NOWHERE + "?socket_timeout=soon")),
    "an unknown option": ("url", lambda: store_from_url(NOWHERE + "?colour=red")),
    "a shared memory file": ("path", lambda: SQLiteStore(":memory:")),
    "a folder": ("path", lambda: SQLiteStore(Path())),
    "a folder that is not there": ("path", lambda: SQLiteStore("/nowhere/at/all.db")),
    "no such mode": ("synchronous", lambda: SQLiteStore("x.db", synchronous="OFF")),
    "no number": ("Policy.max_size", lambda: Policy(max_size=1e9)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "a share in words": ("Policy.touch_share", lambda: Policy(touch_share="x")),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "no policy": ("policy", lambda: Sessions(MemoryStore(), policy={})),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "a rule in words": (
        "merge",
        lambda: Sessions(MemoryStore(), merge={"balance": "refuse"}),  # type: ignore[dict-item] # pyright: ignore[reportArgumentType]
    ),
    "no listener": ("on_event", lambda: Sessions(MemoryStore(), on_event=None)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "no clock": ("clock", lambda: Sessions(MemoryStore(), clock=5)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "no URL": ("url", lambda: store_from_url("redis://[hunter2")),
    "no certificates": ("url", lambda: store_from_url("rediss://h/0?ssl_cert_reqs=bogus")),
    "a database by name": ("url", lambda: store_from_url("redis://h/hunter2")),
    "more than memory": ("url", lambda: store_from_url("memory:hunter2")),
    "a passive path that is none": (
        "passive",
        lambda: SessionMiddleware(app, sessions=Sessions(MemoryStore()), passive=["poll"]),
    ),
    "a passive path outside a list": (
        "passive",
        lambda: SessionMiddleware(app, sessions=Sessions(MemoryStore()), passive="/poll"),
    ),
    "a fragment": ("url", lambda: store_from_url("sqlite:///x.db#hunter2")),
    "no time at all": ("url", lambda: store_from_url(NOWHERE + "?socket_timeout=0")),
    "a class": (
        "transport",
        lambda: SessionMiddleware(app, sessions=Sessions(MemoryStore()), transport=CookieTransport),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    ),
    "cookies for all to read": (
        "secure",
        lambda: SessionMiddleware(
            app,
            sessions=Sessions(MemoryStore()),
            transport=CookieTransport(name="sid", anonymous_name="anon", secure=False),
        ),
    ),
    "tokens for all to read": (
        "secure",
        lambda: SessionMiddleware(
            app, sessions=Sessions(MemoryStore()), transport=BearerTransport(secure=False)
        ),
    ),
    "a header in use": ("header", lambda: BearerTransport(header="Set-Cookie")),
    "no header": ("header", lambda: BearerTransport(header=5)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "no cookie name": ("name", lambda: CookieTransport(name=None)),  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    "a text of proxies": (
        "trusted_proxies",
        lambda: SessionMiddleware(
            app, sessions=Sessions(MemoryStore()), trusted_proxies="10.0.0.0/8"
        ),
    ),
    "half the world": (
        "trusted_proxies",
        lambda: SessionMiddleware(
            app, sessions=Sessions(MemoryStore()), trusted_proxies=["0.0.0.0/1"]
        ),
    ),
    "no proxy": (
        "trusted_proxies",
        lambda: SessionMiddleware(app, sessions=Sessions(MemoryStore()), trusted_proxies=["x"]),
    ),
    "every proxy": (
        "trusted_proxies",
        lambda: SessionMiddleware(
            app, sessions=Sessions(MemoryStore()), trusted_proxies=["0.0.0.0/0"]
        ),
    ),
}


@pytest.mark.parametrize(("setting", "make"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_named_and_no_secret_is(
    setting: str, make: Callable[[], object]
) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        make()
    assert wrong.value.setting == setting
    assert str(wrong.value).startswith(f"{setting}: ")
    assert "hunter2" not in str(wrong.value)


def test_clients_that_fit_are_taken() -> None:
    assert RedisStore(AsyncioRedis(retry=no_retry())).kind is Kind.ASYNCIO
    blocking = blocking_redis.Redis(retry=Retry(NoBackoff(), 0))
    assert RedisStore(blocking).kind is Kind.BLOCKING


def test_stores_are_chosen_by_url(tmp_path: Path) -> None:
    assert isinstance(store_from_url("memory:"), MemoryStore)
    store = store_from_url(f"sqlite:///{tmp_path}/a%20b.db?synchronous=full")
    assert isinstance(store, SQLiteStore)
    assert (tmp_path / "a b.db").stat().st_mode & 0o777 == 0o600
    finish(store.close())
    store = store_from_url(NOWHERE + "/3?prefix=shop&socket_timeout=1")
    assert isinstance(store, RedisStore)


def test_the_memory_store_says_that_it_dies(caplog: pytest.LogCaptureFixture) -> None:
    """M10."""
    MemoryStore()
    assert "end with this process" in caplog.text


def test_blocking_sessions_do_the_same(redis: Server, tmp_path: Path, clock: Clock) -> None:
    for url in (f"redis://127.0.0.1:{redis.port}/1", f"sqlite:///{tmp_path}/s.db", "memory:"):
        sessions = BlockingSessions(store_from_url(url, blocking=True), clock=clock)
        session = sessions.open(None)
        session.sign_in("blocking")
        session["n"] = 1
        token = sessions.commit(session).token
        session = sessions.open(token)
        assert (session.subject, session["n"]) == ("blocking", 1)
        token = sessions.rotate(session).token
        assert [info.id for info in sessions.list("blocking")] == [session.id]
        assert len(sessions.page("blocking")[0]) == sessions.count("blocking") == 1
        clock.move(seconds=1)
        assert sessions.end_all("blocking") == 1
        assert sessions.open(token).subject is None
        assert not sessions.end(session.id or "")
        sessions.close()


async def test_a_blocking_call_in_an_event_loop_is_refused_with_a_sentence() -> None:
    with pytest.raises(RuntimeError, match="use Sessions with `await`"):
        finish(pause(0.001))


def test_a_pause_without_a_loop_blocks() -> None:
    assert finish(pause(0.001)) is None


async def test_the_clock_is_the_stores(redis: Server) -> None:
    """T5: this process is an hour ahead, and knows it after one question."""
    store = store_from_url(f"redis://127.0.0.1:{redis.port}")
    fast = StoreClock(local=lambda: clock() + 3_600_000)
    clock = Clock(await store.time())
    assert fast.now() == clock() + 3_600_000
    await fast.measure(store)
    assert abs(fast.offset + 3_600_000) < 1_000
    assert abs(fast.now() - await store.time()) < 1_000
    clock.move(seconds=59)
    before = fast.offset
    await fast.measure(store)
    assert fast.offset == before, "asked again within the minute"
    clock.move(seconds=2)
    await fast.measure(store)
    assert fast.offset < before - 50_000
    await store.close()


class _Slow:
    """A store whose clock is asked once it was waited for, and is right."""

    def __init__(self, local: Clock) -> None:
        self._local, self.ahead, self.after = local, 0, 0

    async def time(self) -> int:
        self._local.move(milliseconds=self.after)
        return self._local() + self.ahead


async def test_a_slow_answer_is_better_than_none_and_no_better_than_what_is_known() -> None:
    """T5. Nor is it a reason to believe for long what was known long ago.

    Fails when the last answer counts whatever it is worth, or when one that contradicts does not.
    """
    local = Clock()
    store: Any = _Slow(local)
    own = StoreClock(local)

    async def measured(after: int) -> tuple[int, int]:
        store.after = after
        local.move(minutes=1)
        await own.measure(store)
        return own.offset, own.error

    assert await measured(4_000) == (2_000, 2_000), "all that is known"
    assert await measured(2) == (1, 1)
    assert await measured(4_000) == (1, 7), "by now they may be further apart"
    assert await measured(2) == (1, 1)
    store.ahead = 60_000
    assert await measured(4_000) == (62_000, 2_000), "somebody set it"


def test_an_event_loop_each_may_have_its_own_sessions() -> None:
    async def once() -> int:
        return await Sessions(MemoryStore()).count()

    assert [asyncio.run(once()) for _ in range(2)] == [0, 0]


@pytest.mark.parametrize(
    ("module", "make"),
    [
        ("coatcheck.stores.redis", lambda: store_from_url("redis://localhost")),
        (
            "publicsuffixlist",
            lambda: CookieTransport(name="s", anonymous_name="a", domain="a.b.com"),
        ),
    ],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, make: Callable[[], object]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r"coatcheck\[(redis|domain)\] installed"):
        make()


def test_the_systems_generator_is_the_one_that_is_used() -> None:
    """R-001."""
    assert Parts.__dataclass_fields__["random"].default is os.urandom


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
async def test_two_applications_see_nothing_of_each_other(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """R-076: by a prefix or a file for each, also for a user whom both know."""
    urls = ["memory:", "memory:"]
    if kind == "sqlite":
        urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "other")]
    elif kind == "redis":
        server: Server = request.getfixturevalue("redis")
        start = f"redis://127.0.0.1:{server.port}/0?prefix={tmp_path.name}"
        urls = [f"{start}-{name}" for name in ("one", "other")]
    one, other = (Sessions(store_from_url(url)) for url in urls)
    here, there = Browser(one), Browser(other)
    await here.sign_in("alice")
    await there.sign_in("alice")
    token = here.jar[Holder.SIGNED_IN]
    stranger = await other.open(token)
    assert (stranger.subject, stranger.standing) == (None, Standing.ABSENT)
    assert token.id not in [info.id for info in await other.list("alice")]
    assert not await other.end(token.id)
    assert await other.end_all("alice") == 1
    assert (await here.see())[0] == "alice"
    for sessions in (one, other):
        await sessions.close()


async def test_a_page_has_room_for_something() -> None:
    for limit in (0, -1):
        with pytest.raises(ValueError, match="limit"):
            await Sessions(MemoryStore()).page(limit=limit)


async def test_what_is_kept_is_kept_long_enough(store: Store) -> None:
    """C1, G2: longer than any message lives, and any request runs."""
    assert TOMBSTONE_KEPT >= 2 * GRACE >= 120_000
    assert BAR_KEPT >= 3_600_000


async def test_a_doubtful_clock_raises_the_bar_and_not_the_time_of_opening(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G2: the store's answer took 0.2 s, so the time is known to 0.1 s.

    Fails when the error of the measurement is left out on either side.
    """

    class Slow(MemoryStore):
        bars: ClassVar[list[int]] = []
        opened: ClassVar[list[int]] = []

        async def time(self) -> int:
            clock.move(seconds=0.1)
            now = clock()
            clock.move(seconds=0.1)
            return now

        async def bar(self, subject: str | None, at: int, /) -> Barred:
            self.bars.append(at)
            return await super().bar(subject, at)

        async def enlist(
            self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
        ) -> list[str] | None:
            self.opened.append(opened_at)
            return await super().enlist(record, opened_at, own_bar, limit)

    monkeypatch.setattr("coatcheck.sessions.StoreClock", lambda: StoreClock(local=clock))
    sessions = Sessions(Slow())
    arrived = clock()
    session = await sessions.open(None)
    session.sign_in("alice")
    await sessions.commit(session)
    await sessions.end_all("alice")
    assert (Slow.opened, Slow.bars) == ([arrived - 100], [clock() + 100])


async def test_trying_again_waits_a_little_by_chance_and_then_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails without the pause, without the chance in it, or without the end."""
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("coatcheck.backoff.pause", pause)
    for attempt in range(ATTEMPTS - 1):
        assert await back_off(attempt) == attempt + 1
    with pytest.raises(StoreUnavailable):
        await back_off(ATTEMPTS - 1)
    assert len(waits) == ATTEMPTS - 2
    assert 0 < max(waits) <= 0.02
    assert len(set(waits)) > ATTEMPTS // 2


async def test_a_large_backlog_is_swept_once_a_second(clock: Clock) -> None:
    """M13: fails when a full batch waits a minute for the next."""
    store, events = MemoryStore(), list[Event]()
    sessions = Sessions(store, clock=clock, on_event=events.append)
    for _ in range(2_500):
        await store.save(make_record(seen_at=clock.ms - 7_200_000), None)
    for _ in range(4):
        clock.move(seconds=1.5)
        session = await sessions.open(None)
        session["x"] = 1
        await sessions.commit(session)
    counts = [event.facts["count"] for event in events if event.kind is Happened.SWEPT]
    assert counts == [1_000, 1_000, 500]
