"""Commands of one turn of the event loop leave as one pipeline, and each gets its own reply."""

import asyncio
import gc
import uuid
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterable
from contextvars import ContextVar
from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from coatcheck import store_from_url
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import make_record, make_tombstone, next_version
from tests.chaos.wire import Wire, turns
from tests.passing import let_pass, let_pass_until_done
from tests.servers import Server, redis_server


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
async def server(redis: Server) -> AsyncGenerator[Any]:
    """A client past the store."""
    client = connected(redis.port)
    yield client
    await client.aclose()


@pytest.fixture
async def between(redis: Server) -> AsyncGenerator[Wire]:
    async with Wire(redis.port) as between:
        yield between


@pytest.fixture
async def store(between: Wire, prefix: str) -> AsyncGenerator[RedisStore]:
    store = RedisStore.from_url(f"redis://127.0.0.1:{between.port}/0?prefix={prefix}")
    yield store
    await store.close()


@pytest.fixture
async def records(between: Wire, store: RedisStore) -> list[Record]:
    """Stored ones, each unlike all others; the store is connected, nothing is on record yet."""
    records = [make_record(payload=b"%d " % n * 200) for n in range(30)]
    for record in records:
        await store.save(record, None)
    between.asked.clear()
    return records


def connected(port: int, **settings: Any) -> Any:
    """Return a client as an application makes one of its own."""
    return redis.asyncio.Redis(port=port, retry=Retry(NoBackoff(), 0), **settings)


def ids(records: Iterable[Record]) -> list[str]:
    return [record.id for record in records]


def load(store: RedisStore, records: Iterable[Record]) -> "list[asyncio.Task[object]]":
    return start(store.load(record.id) for record in records)


def start(work: Iterable[Awaitable[Any]]) -> "list[asyncio.Task[Any]]":
    return [asyncio.ensure_future(one) for one in work]


async def answers(tasks: "list[asyncio.Task[Any]]") -> list[Any]:
    """Return results and errors; nobody may wait for good."""
    async with asyncio.timeout(60):
        return await asyncio.gather(*tasks, return_exceptions=True)


def are_outages(results: Iterable[object]) -> bool:
    return all(isinstance(result, StoreUnavailable) for result in results)


async def test_what_is_asked_meanwhile_waits_for_the_next_pipeline(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when commands of a turn wait for each other, or take a connection each.

    And when a second pipeline leaves before the first is answered.
    """
    between.flowing.clear()
    first = load(store, records[:20])
    await between.until_asked(20)
    later = load(store, records[20:])
    await turns(50)
    assert between.asked_for() == ids(records[:20])
    between.flowing.set()
    assert await answers(first + later) == records
    assert between.asked_for() == ids(records)
    assert between.connections == 1


@pytest.fixture
def own_port() -> Generator[int]:
    """Of a server that others tell nothing, not even late that they are gone."""
    with redis_server("--appendonly", "no") as server:
        yield server.port


async def test_a_pipeline_is_one_write(own_port: int) -> None:
    """Redis counts how often it had to read. Fails when commands are written one by one."""
    store, server = RedisStore.from_url(f"redis://127.0.0.1:{own_port}/0"), connected(own_port)
    records = [make_record(payload=b"") for _ in range(100)]
    await asyncio.gather(*(store.save(record, None) for record in records))

    async def reads() -> int:
        return int((await server.info("stats"))["total_reads_processed"])

    before = await reads()
    assert await asyncio.gather(*(store.load(record.id) for record in records)) == records
    assert await reads() - before == 2, "the pipeline and the last question"
    await server.aclose()
    await store.close()


async def test_a_read_is_one_command_and_a_write_another(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when a command is sent twice, or others come along."""
    for record in records[:2]:  # the first teaches Redis the scripts
        between.asked.clear()
        await store.load(record.id)
        await store.save(next_version(record), record)
        await store.touch(record, record.seen_at + 1)
        await store.end(make_tombstone(record.id))
    assert [words[0] for words in between.asked] == [b"GET", b"EVALSHA", b"EVALSHA", b"EVALSHA"]


async def test_both_bars_are_asked_for_at_once(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when the second waits for the answer to the first. They are in two slots."""
    assert records
    between.flowing.clear()
    asked = start([store.is_barred("alice", 1)])
    await between.until_asked(2)
    between.flowing.set()
    assert await answers(asked) == [False]
    assert [words[0] for words in between.asked] == [b"GET", b"GET"]


async def test_who_is_cancelled_disturbs_nobody(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when a request carries the pipeline itself, or its reply is left for the next.

    What was not sent yet is not sent any more.
    """
    between.flowing.clear()
    sent = load(store, records[:10])
    await between.until_asked(10)
    waiting = load(store, records[10:20])
    await turns(5)
    for task in (*sent[::2], *waiting[::2]):
        task.cancel()
    await turns(5)
    between.flowing.set()
    for tasks, asked in ((sent, records[:10]), (waiting, records[10:20])):
        results = await answers(tasks)
        assert results[1::2] == asked[1::2]
        assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert between.asked_for() == ids(records[:10] + records[11:20:2])
    assert between.connections == 1


async def test_an_error_is_one_commands_own(
    between: Wire, store: RedisStore, records: list[Record], server: Any, prefix: str
) -> None:
    """Fails when an error reply ends the pipeline, or the replies behind it move up."""
    await server.delete(f"{prefix}:s:{records[1].id}")
    await server.rpush(f"{prefix}:s:{records[1].id}", "no string")
    results = await answers(load(store, records))
    assert isinstance(results[1], StoreUnavailable)
    assert "WRONGTYPE" in str(results[1])
    assert [results[0], *results[2:]] == [records[0], *records[2:]]
    assert between.connections == 1


async def test_a_script_that_redis_forgot_is_sent_by_those_who_need_it(
    between: Wire, store: RedisStore, records: list[Record], server: Any
) -> None:
    """Fails when a forgotten script disturbs others, or what was carried out is sent again."""
    await server.script_flush()
    newer = [next_version(record) for record in records]
    saves = start(store.save(new, old) for new, old in zip(newer[:10], records[:10], strict=True))
    assert await answers(saves + load(store, records[10:])) == [None] * 10 + records[10:]
    names = [words[0] for words in between.asked]
    assert (names.count(b"EVALSHA"), names.count(b"EVAL"), names.count(b"GET")) == (10, 10, 20)
    assert await answers(load(store, newer[:10])) == newer[:10]


async def test_a_key_that_is_no_text_is_its_callers_mistake(
    store: RedisStore, records: list[Record]
) -> None:
    """Fails when the whole pipeline falls over it."""
    wrong = asyncio.ensure_future(store.load("\ud800"))
    error, *others = await answers([wrong, *load(store, records)])
    assert isinstance(error, UnicodeEncodeError)
    assert others == records


BROKEN = pytest.mark.parametrize(
    "instead",
    [
        pytest.param(b"", id="closed"),
        pytest.param(b"?what\r\n", id="unknown-type"),
        pytest.param(b"$x\r\n", id="no-length"),
        pytest.param(b"-LOADING a dataset\r\n", id="loading"),
    ],
)


@BROKEN
async def test_a_broken_pipeline_is_an_outage_for_those_in_it(
    between: Wire, store: RedisStore, records: list[Record], instead: bytes
) -> None:
    """Fails when somebody behind the break gets a reply, waits for good, or is sent again.

    Those who were not sent yet go out on another connection.
    """
    between.flowing.clear()
    sent = load(store, records[:10])
    await between.until_asked(10)
    waiting = load(store, records[10:])
    await turns(5)
    between.spoil_answer(4, instead)
    between.flowing.set()
    results = await answers(sent)
    assert results[:3] == records[:3]
    assert are_outages(results[3:])
    assert await answers(waiting) == records[10:]
    assert between.connections == 2
    asked = [key for key in between.asked_for() if key in ids(records)]  # without the handshake
    assert asked == ids(records)


@BROKEN
async def test_a_save_whose_answer_is_lost_is_not_sent_again(
    between: Wire, store: RedisStore, records: list[Record], instead: bytes
) -> None:
    """Fails when the pipeline, or redis-py, repeats what may have been applied."""
    between.spoil_answer(1, instead)
    newer = next_version(records[0])
    assert are_outages(await answers(start([store.save(newer, records[0])])))
    assert await store.load(newer.id) == newer
    assert [words[0] for words in between.asked].count(b"EVALSHA") == 1


async def test_an_answer_too_many_reaches_nobody(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when a connection is used again without a look at what is left on it."""
    between.spoil = lambda answer: answer + b"$5\r\nextra\r\n"
    assert await answers(load(store, records[:1])) == records[:1]
    between.spoil = bytes
    for record in records:
        assert await store.load(record.id) == record
    assert between.connections == 2


async def test_silence_is_an_outage_and_late_answers_reach_nobody(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when a pipeline has no time limit, or its connection is used again after it."""
    before = between.connections
    between.flowing.clear()
    sent = load(store, records[:10])
    await between.until_asked(10)
    waiting = load(store, records[10:])
    await turns(50)
    let_pass(3)
    assert are_outages(await answers(sent))
    between.flowing.set()
    assert await answers(waiting) == records[10:]
    assert between.connections == before + 1


async def test_a_server_that_stays_silent_keeps_nobody(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when somebody who waits behind a stuck pipeline waits for good."""
    between.flowing.clear()
    waves = load(store, records[:10])
    for wave in (records[10:20], records[20:]):
        await turns(50)
        waves += load(store, wave)
    await let_pass_until_done(waves)
    assert are_outages(await answers(waves))


async def test_a_client_without_a_time_limit_gets_one(
    between: Wire, records: list[Record], prefix: str
) -> None:
    """Fails when one silent connection holds up everybody for good."""
    store = RedisStore(connected(between.port, socket_timeout=None), prefix=prefix)
    assert await answers(load(store, records)) == records
    between.flowing.clear()
    loads = load(store, records)
    await let_pass_until_done(loads)
    assert are_outages(await answers(loads))
    await store.close()


async def test_a_connection_goes_back_as_it_was(between: Wire, records: list[Record]) -> None:
    """Fails when a connection keeps the batches' own time limit."""
    client = connected(between.port, socket_timeout=7)
    store = RedisStore(client)
    await answers(load(store, records))
    connection = await client.connection_pool.get_connection()
    assert connection.socket_timeout == 7
    await client.connection_pool.release(connection)
    await store.close()


async def test_closing_answers_everybody(
    between: Wire, store: RedisStore, records: list[Record]
) -> None:
    """Fails when closing forgets those in the pipeline, or those behind it, or sends these."""
    between.flowing.clear()
    sent = load(store, records[:10])
    await between.until_asked(10)
    waiting = load(store, records[10:])
    await turns(5)
    await store.close()
    await turns(5)
    assert all(task.done() for task in sent + waiting)
    assert are_outages(await answers(sent + waiting))
    between.flowing.set()
    assert await answers(load(store, records)) == records, "a closed store opens again"


@pytest.mark.parametrize("at", ["start", "flight"])
async def test_if_the_sender_is_cancelled_everybody_is_told(
    between: Wire, store: RedisStore, records: list[Record], at: str
) -> None:
    """As an event loop that ends does. Fails when only the end of the task's code answers."""
    before = asyncio.all_tasks()
    between.flowing.clear()
    sent = load(store, records)
    await turns(1)  # the requests have run, the sender has not
    (sender,) = asyncio.all_tasks() - before - set(sent)
    if at == "flight":
        await between.until_asked(len(records))
    sender.cancel()
    assert are_outages(await answers(sent))
    between.flowing.set()
    assert await answers(load(store, records)) == records


async def test_an_idle_store_has_no_task(store: RedisStore, records: list[Record]) -> None:
    """Fails when a task stays, for the loop's end to complain about."""
    await store.load(records[0].id)  # a connection, and the tasks it may bring along
    await turns(2)
    before = asyncio.all_tasks()
    await answers(load(store, records))
    await turns(2)
    assert asyncio.all_tasks() <= before


async def test_the_sender_belongs_to_no_request(between: Wire, prefix: str) -> None:
    """Fails when a pipeline runs in the context of the request that was the first."""
    user: ContextVar[str] = ContextVar("user", default="nobody")
    seen: list[str] = []

    async def greet(connection: Any) -> None:
        seen.append(user.get())
        await connection.on_connect()

    store = RedisStore(connected(between.port, redis_connect_func=greet), prefix=prefix)
    user.set("alice")
    await store.load(make_record().id)
    assert seen == ["nobody"]
    await store.close()


# Nobody closed the connections of a loop that is gone, and Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("first", ["load", "page"])
def test_a_store_serves_one_event_loop_after_another(
    redis: Server, prefix: str, first: str
) -> None:
    """Fails when a connection, or a queue, of a closed loop is used in the next."""
    store = store_from_url(f"redis://127.0.0.1:{redis.port}/0?prefix={prefix}")
    records = [make_record(subject="alice") for _ in range(5)]

    async def save() -> None:
        await asyncio.gather(*(store.save(record, None) for record in records))
        for record in records:
            await store.enlist(record, record.seen_at, 0)

    async def look() -> None:
        if first == "page":
            assert await store.count("alice") == len(records)
        loads = (store.load(record.id) for record in records)
        assert await asyncio.gather(*loads) == records

    async def finish() -> None:
        await look()
        await store.close()

    for work in (save, look, look, finish, finish):
        asyncio.run(work())
    gc.collect()


async def test_a_server_that_never_lets_anybody_in_keeps_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a client that sets no limits. Fails when only what follows the handshake has one."""
    monkeypatch.setattr("coatcheck.stores.redis.batch.PATIENCE", 0.05)
    let_go = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = redis.asyncio.Redis(
            port=port,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
        )
        with pytest.raises(StoreUnavailable, match="no connection"):
            await RedisStore(client).load("A" * 22)
        let_go.set()
        await client.aclose()
