"""What is Redis's own: times to live, prefixes, scripts, and how a URL reaches a server."""

import asyncio
import gc
import socket
import traceback
import uuid
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
import redis.asyncio

from coatcheck import store_from_url
from coatcheck.core.policy import BAR_KEPT, GRACE
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis import RedisStore
from coatcheck.stores.redis.servers import servers_at
from coatcheck.stores.redis.url import parse
from coatcheck.testing import HOUR, make_record, make_tombstone, next_version
from coatcheck.waiting import Kind
from tests.kinds import FORMS
from tests.servers import Server, free_port, redis_server
from tests.threads import run_as
from tests.web.https import certify

PASSWORD, SHOPS = "p@ss/w0rd", "the:shop's"


class Keys:
    """Looks at the keys of one prefix, past the store."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client, self.prefix = client, prefix

    async def __call__(self, command: str, key: str, *values: object) -> Any:
        return await self._client.execute_command(command, f"{self.prefix}:{key}", *values)

    async def find(self, pattern: str) -> str:
        """Return the one key that fits."""
        (key,) = await self._client.keys(f"{self.prefix}:{pattern}")
        return str(key.decode()[len(self.prefix) + 1 :])

    async def forget_scripts(self) -> None:
        await self._client.script_flush()


@pytest.fixture
def prefix() -> str:
    return uuid.uuid4().hex


@pytest.fixture
async def keys(redis: Server, prefix: str) -> AsyncGenerator[Keys]:
    client = _client(redis)
    yield Keys(client, prefix)
    await client.aclose()


@pytest.fixture
async def connect(redis: Server) -> AsyncGenerator[Callable[..., RedisStore]]:
    """Makes stores of the query of a URL, and closes them."""
    async with AsyncExitStack() as opened:

        def connect(**query: object) -> RedisStore:
            store = RedisStore.from_url(f"redis://127.0.0.1:{redis.port}/0?{urlencode(query)}")
            opened.push_async_callback(store.close)
            return store

        yield connect


@pytest.fixture
def store(connect: Callable[..., RedisStore], prefix: str) -> RedisStore:
    return connect(prefix=prefix)


def _client(server: Server) -> Any:
    return redis.asyncio.Redis(port=server.port)


def is_about(left: int, time_to_live: int) -> bool:
    return time_to_live - 2_000 < left <= time_to_live


async def test_a_record_stays_for_its_life_and_a_margin(store: RedisStore, keys: Keys) -> None:
    """Fails when the time to live has no margin, or is counted from another moment."""
    record = make_record()
    brief = make_record(seen_at=record.seen_at - HOUR, ends_at=record.seen_at - HOUR + 5_000)
    for saved, life in ((record, record.idle), (brief, 5_000)):
        await store.save(saved, None)
        assert is_about(await keys("PTTL", f"s:{saved.id}"), life + GRACE)
    await keys("PEXPIRE", f"s:{record.id}", 2_000)
    await store.save(next_version(record), record)
    assert is_about(await keys("PTTL", f"s:{record.id}"), record.idle + GRACE)


async def test_a_touch_lengthens_the_time_to_live(store: RedisStore, keys: Keys) -> None:
    """Fails when a touch writes the time alone."""
    record = make_record()
    await store.save(record, None)
    await keys("PEXPIRE", f"s:{record.id}", 2_000)
    await store.touch(record, record.seen_at + 1_000)
    assert await keys("PTTL", f"s:{record.id}") > 1_800_000


async def test_a_touch_never_shortens_the_time_to_live(store: RedisStore, keys: Keys) -> None:
    """Fails when the expiry is set without GT."""
    record = make_record()
    await store.save(record, None)
    await keys("PEXPIRE", f"s:{record.id}", 10 * HOUR)
    await store.touch(record, record.seen_at + 1_000)
    assert await keys("PTTL", f"s:{record.id}") > 9 * HOUR


async def test_a_save_does_not_undo_what_a_touch_lengthened(store: RedisStore, keys: Keys) -> None:
    """Fails when a save that keeps the later activity sets its own time to live."""
    record = make_record()
    await store.save(record, None)
    await store.touch(record, record.seen_at + 1_000)
    await keys("PEXPIRE", f"s:{record.id}", 10 * HOUR)
    await store.save(next_version(record), record)
    assert await keys("PTTL", f"s:{record.id}") > 9 * HOUR


async def test_a_tombstone_stays_for_its_time(store: RedisStore, keys: Keys) -> None:
    """Fails when a tombstone takes over the time to live of the record."""
    record = make_record()
    tombstone = make_tombstone(record.id)
    await store.save(record, None)
    await store.end(tombstone)
    assert is_about(await keys("PTTL", f"s:{record.id}"), tombstone.keep_until - tombstone.at)


async def test_an_index_stays_as_long_as_its_longest_session(store: RedisStore, keys: Keys) -> None:
    """Fails when the last that was listed decides, or none does."""
    now = make_record().seen_at
    for hours in (1, 12, 2):
        record = make_record(subject="alice", seen_at=now, ends_at=now + hours * HOUR)
        await store.save(record, None)
        assert await store.enlist(record, now, 0) is not None
    index = await keys.find("*:index")
    assert is_about(await keys("PTTL", index), 12 * HOUR + GRACE)


async def test_a_bar_is_kept_a_day(store: RedisStore, keys: Keys) -> None:
    """Fails when a bar has no time to live, or is raised without a new one."""
    await store.bar("alice", 1_000)
    bar = await keys.find("*:bar")
    assert is_about(await keys("PTTL", bar), BAR_KEPT)
    await keys("PEXPIRE", bar, 2_000)
    await store.bar("alice", 1_000)
    assert is_about(await keys("PTTL", bar), BAR_KEPT)


async def test_a_sign_in_drops_what_is_over_from_the_index(store: RedisStore, keys: Keys) -> None:
    """Fails when the index of somebody who signs in daily only ever grows."""
    now = make_record().seen_at
    ends = (now - GRACE - 1_000, now - GRACE + 1_000, now + HOUR)
    old, barely, new = (make_record(subject="alice", seen_at=now, ends_at=end) for end in ends)
    for record in (old, barely):
        await store.enlist(record._replace(seen_at=now - HOUR), now, 0)
    index = await keys.find("*:index")
    assert await keys("ZCARD", index) == 2
    await store.enlist(new, now, 0)
    assert await keys("ZCARD", index) == 2
    assert await keys("ZSCORE", index, old.id) is None


async def test_a_listing_prunes_what_is_absent_or_ended(store: RedisStore, keys: Keys) -> None:
    """Fails when entries stay, or when those of live sessions go with them."""
    absent, ended, live = (make_record(subject="alice") for _ in range(3))
    for record in (absent, ended, live):
        await store.save(record, None)
        await store.enlist(record, record.seen_at, 0)
    await store.end(make_tombstone(ended.id))
    await keys("DEL", f"s:{absent.id}")
    index = await keys.find("*:index")
    assert await keys("ZCARD", index) == 3
    assert (await store.page("alice", None, 10)).records == [live]
    assert await keys("ZRANGE", index, 0, -1) == [live.id.encode()]


async def test_scripts_survive_that_redis_forgets_them(store: RedisStore, keys: Keys) -> None:
    """Fails when a script is run by its hash alone."""
    record = make_record(subject="alice")
    await keys.forget_scripts()
    await store.save(record, None)
    await keys.forget_scripts()
    await store.touch(record, record.seen_at + 1)
    await keys.forget_scripts()
    assert await store.enlist(record, record.seen_at, 0) is not None
    await keys.forget_scripts()
    assert (await store.bar("alice", 1)).ids == [record.id]
    await keys.forget_scripts()
    assert await store.end(make_tombstone(record.id)) == record._replace(seen_at=record.seen_at + 1)


async def listing(store: RedisStore) -> list[str]:
    """Return the ids that a listing of everybody shows."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = await store.page(None, after, 10)
        found += [record.id for record in page.records]
        if (after := page.next) is None:
            return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x[1]y*z", "x1y+z"),
        ("a?b", "a-b"),
        ("a\\b", "ab"),
        ("[^a]", "b"),
        ("plain", "other"),
        ("outer", "outer:s"),
    ],
)
async def test_a_prefix_lists_and_counts_exactly_its_own(
    connect: Callable[..., RedisStore], prefix: str, one: str, other: str
) -> None:
    """Fails when a prefix is a pattern, or is not in every key."""
    records = [make_record(subject="alice") for _ in range(2)]
    stores = [connect(prefix=prefix + name) for name in (one, other)]
    for store, record in zip(stores, records, strict=True):
        await store.save(record, None)
        await store.enlist(record, record.seen_at, 0)
    for store, record, foreign in zip(stores, records, reversed(records), strict=True):
        assert await listing(store) == [record.id]
        assert await store.count(None) == 1
        assert (await store.page("alice", None, 10)).records == [record]
        assert (await store.bar("alice", 1))[::2] == (0, [record.id])
        assert await store.load(foreign.id) is None


class Guarded(NamedTuple):
    """Ways to a server that wants a password."""

    port: int
    tls: int
    socket: Path
    certificate: Path

    def url(self, way: str, password: str = "") -> str:
        own = quote(password or PASSWORD, safe="")
        return {
            "password": f"redis://:{own}@127.0.0.1:{self.port}/0",
            "user": f"redis://shop:{quote(password or SHOPS, safe='')}@127.0.0.1:{self.port}/0",
            "TLS": f"rediss://:{own}@127.0.0.1:{self.tls}/0?ssl_ca_certs={self.certificate}",
            "socket": f"unix://:{own}@{self.socket}",
            "untrusted certificate": f"rediss://:{own}@127.0.0.1:{self.tls}/0",
            "another's certificate": (
                f"rediss://:{own}@localhost:{self.tls}/0?ssl_ca_certs={self.certificate}"
            ),
        }[way]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Generator[Guarded]:
    folder, tls = tmp_path_factory.mktemp("guarded"), free_port()
    certify(folder)
    certificate, path = folder / "certificate.pem", folder / "redis.sock"
    options = ["--requirepass", PASSWORD, "--unixsocket", str(path), "--tls-port", str(tls)]
    options += ["--tls-cert-file", str(certificate), "--tls-key-file", str(folder / "key.pem")]
    options += ["--tls-auth-clients", "no"]
    options += ["--user", "shop", "on", f">{SHOPS}", "~coatcheck:*", "+@all"]
    with redis_server(*options) as server:
        yield Guarded(server.port, tls, path, certificate)


def use(url: str, kind: Kind) -> None:
    """Save and load, as an application with a client of that kind does."""

    async def work() -> None:
        store = store_from_url(url, blocking=kind is Kind.BLOCKING)
        record = make_record()
        try:
            await store.save(record, None)
            assert await store.load(record.id) == record
        finally:
            await store.close()

    run_as(kind, work())


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("way", ["password", "user", "TLS", "socket"])
def test_a_url_reaches_a_guarded_server(guarded: Guarded, way: str, kind: Kind) -> None:
    """Fails when a part of the URL does not get to the driver."""
    use(guarded.url(way), kind)


# The driver leaves a TLS connection whose password is refused to the loop, which ends before it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize(
    ("way", "password"),
    [
        ("password", "wr@ng/one"),
        ("user", "wr@ng/one"),
        ("TLS", "wr@ng/one"),
        ("socket", "wr@ng/one"),
        ("untrusted certificate", PASSWORD),
        ("another's certificate", PASSWORD),
    ],
)
def test_a_refusal_is_an_outage_that_tells_no_password(
    guarded: Guarded, way: str, password: str, kind: Kind
) -> None:
    """Fails when the driver's own error gets out, or any certificate is believed."""
    with pytest.raises(StoreUnavailable) as refused:
        use(guarded.url(way, password), kind)
    gc.collect()
    told = "".join(traceback.format_exception(refused.value))
    assert password not in told
    assert quote(password, safe="") not in told


@pytest.mark.parametrize("kind", FORMS)
def test_a_server_that_never_answers_is_an_outage(kind: Kind) -> None:
    """Fails when the time of the URL is not the driver's: who began first gives up first."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(2) as pool:
        url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0?socket_timeout="
        gave_up: list[Future[None]] = []
        patient = pool.submit(use, f"{url}4", kind)
        hasty = pool.submit(use, f"{url}0.2", kind)
        for each in (patient, hasty):
            each.add_done_callback(gave_up.append)
        for each in (patient, hasty):
            with pytest.raises(StoreUnavailable, match="Timeout"):
                each.result()
    assert gave_up == [hasty, patient]


@pytest.mark.parametrize("kind", FORMS)
def test_a_url_that_says_nothing_gets_bounds(kind: Kind) -> None:
    """Fails when a bound is left to the driver, or a URL cannot set another."""
    url = "redis://127.0.0.1:1/0"
    for given, expected in (
        ("", (2, 2, 32)),
        ("?socket_timeout=5&socket_connect_timeout=0.5&max_connections=3", (5, 0.5, 3)),
    ):
        node: Any = servers_at(parse(url + given), kind)
        pool = node._pool
        settings = pool.connection_kwargs
        times = (settings["socket_timeout"], settings["socket_connect_timeout"])
        assert (*times, pool.max_connections) == expected
        assert pool.timeout == 2, "a turn is waited for as long as an answer"


async def test_more_tasks_than_connections_wait_for_their_turn(
    connect: Callable[..., RedisStore], prefix: str
) -> None:
    """Fails when a pool without a free connection refuses at once."""
    store, record = connect(prefix=prefix, max_connections=2), make_record()
    await store.save(record, None)
    assert await asyncio.gather(*(store.load(record.id) for _ in range(100))) == [record] * 100
