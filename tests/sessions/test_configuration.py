"""Wrong settings and wrong pairings stop the start, and name the setting."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis as blocking_redis
from redis.asyncio import Redis as AsyncioRedis
from redis.asyncio.retry import Retry as AsyncioRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from coatcheck import BlockingSessions, MemoryStore, Policy, Sessions, SQLiteStore, store_from_url
from coatcheck.clock import StoreClock
from coatcheck.errors import ConfigurationError
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import Clock
from coatcheck.waiting import Kind, finish, pause
from coatcheck.web.asgi import SessionMiddleware
from tests.servers import Server

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


def test_an_event_loop_each_may_have_its_own_sessions() -> None:
    async def once() -> int:
        return await Sessions(MemoryStore()).count()

    assert [asyncio.run(once()) for _ in range(2)] == [0, 0]
