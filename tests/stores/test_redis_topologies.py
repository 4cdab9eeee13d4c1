"""What a URL or a client leads to, and what is wrong with one."""

import asyncio
import gc
import time
import traceback
import uuid
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
import valkey as valkey_driver
from redis.asyncio.retry import Retry as AsyncioRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from coatcheck import BlockingSessions, Sessions, store_from_url
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.redis import RedisStore
from coatcheck.stores.redis.url import Topology, parse
from coatcheck.testing import make_record
from coatcheck.waiting import Kind
from tests.kinds import FORMS
from tests.redis_topologies import SERVICE, USER, Nodes, Watched, ask, until
from tests.servers import Server, free_port, program, redis_server
from tests.threads import run_as
from tests.web.https import certify

S, C = "redis+sentinel://", "redis+cluster://"
MISTAKES = {
    "no master": (S + "h:1,i:2", "name the master"),
    "no sentinel": (S + "/mymaster", "a host is missing"),
    "a host is missing": (S + "h,,i/mymaster", "a host is missing"),
    "no node": (C, "a host is missing"),
    "no port": (C + "hunter2:hunter2", "a port must be a number"),
    "a port too high": (C + "h:99999", "a port must be a number"),
    "a database of a cluster": (C + "h/1", "no databases"),
    "a database of a cluster, as an option": (C + "h?db=1", "no databases"),
    "a database by name": (S + "h/mymaster/hunter2", "must be a number"),
    "several hosts": ("redis://h,i/0", r"redis\+sentinel:// or redis\+cluster://"),
    "a login of sentinels elsewhere": (C + "h?sentinel_password=hunter2", "no sentinel"),
    "an unknown option": (C + "h?colour=hunter2", "look at colour"),
    "an unknown option behind Sentinel": (S + "h/m?colour=hunter2", "look at colour"),
    "TLS without TLS": ("valkey://h?ssl_ca_certs=hunter2", "look at ssl_ca_certs"),
    "an unknown scheme": ("redis+hunter2://h", "no known store"),
    "a Unix socket of a cluster": ("unix+cluster:///hunter2", "no known store"),
    "a slip of the pen": ("redis+sentinal://h/hunter2", r"do you mean redis\+sentinel:\?"),
    "another one": ("postgre://hunter2", "do you mean postgres"),
    "nothing like it": ("mongo://hunter2", r"no known store: .*rediss://.* mariadb://$"),
    "no time": (S + "h/m?socket_timeout=0", "more than 0"),
}


@pytest.mark.parametrize(("url", "said"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("is_blocking", [False, True])
def test_a_mistake_in_a_url_is_named_and_no_secret_is(
    url: str, said: str, is_blocking: bool
) -> None:
    with pytest.raises(ConfigurationError, match=said) as wrong:
        store_from_url(url, blocking=is_blocking)
    assert wrong.value.setting == "url"
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize(
    ("query", "setting"),
    [
        ("wait=one", "wait"),
        ("wait=-1", "wait"),
        ("wait=1&wait_timeout=0", "wait_timeout"),
        ("wait=1&wait_timeout=2", "wait_timeout"),
    ],
)
def test_a_wrong_wait_is_named(query: str, setting: str) -> None:
    """Fails when a wait may outlast the time limit, and each write is an outage."""
    with pytest.raises(ConfigurationError) as wrong:
        store_from_url(f"redis://h/0?{query}")
    assert wrong.value.setting == setting


def test_a_prefix_that_keeps_a_cluster_on_one_node_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="brace"):
        store_from_url(C + "h?prefix={shop}")


@pytest.mark.parametrize("name", ["redis", "valkey"])
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_a_url_says_where_and_how(name: str, is_encrypted: bool) -> None:
    scheme = name + "s" * is_encrypted
    one = parse(f"{scheme}://me:p%40ss@h/3?prefix=p&max_connections=4")
    assert (one.topology, one.addresses) == (Topology.ONE, [("h", 6379)])
    assert (one.settings["db"], one.most, one.prefix) == (3, 4, "p")
    led = parse(f"{scheme}+sentinel://me:p%40ss@h,[::1]:7/my%20master/2?sentinel_password=s%26")
    assert (led.topology, led.addresses) == (Topology.SENTINEL, [("h", 26379), ("::1", 7)])
    assert (led.service, led.settings["db"], led.sentinel) == ("my master", 2, {"password": "s&"})
    many = parse(f"{scheme}+cluster://me:p%40ss@h:1,i?wait=2&wait_timeout=0.5")
    assert (many.topology, many.addresses) == (Topology.CLUSTER, [("h", 1), ("i", 6379)])
    assert many.wait == (2, 0.5)
    for target in (one, led, many):
        assert (target.settings["username"], target.settings["password"]) == ("me", "p@ss")
        assert target.is_encrypted is is_encrypted
        assert target.settings["socket_timeout"] == target.settings["socket_connect_timeout"] == 2


def driver_of(kind: Kind) -> Any:
    return redis.asyncio if kind is Kind.ASYNCIO else redis


def no_retry(kind: Kind) -> Any:
    return (AsyncioRetry if kind is Kind.ASYNCIO else Retry)(NoBackoff(), 0)


def sentinel_of(watched: Watched, kind: Kind) -> Any:
    module: Any = redis.asyncio.sentinel if kind is Kind.ASYNCIO else redis.sentinel
    addresses = [("127.0.0.1", one.port) for one in watched.sentinels]
    return module.Sentinel(addresses, retry=no_retry(kind), socket_timeout=2)


async def use(store: RedisStore) -> None:
    record = make_record(subject=uuid.uuid4().hex)
    try:
        await store.save(record, None)
        assert await store.load(record.id) == record
        assert await store.enlist(record, 1, 0, 0) == [record.id]
        assert (await store.page(record.subject, None, 10)).records == [record]
    finally:
        await store.close()


def run(kind: Kind, make: Callable[[], RedisStore]) -> None:
    """Make a store and use it, as an application with a client of that kind does."""

    async def work() -> None:
        await use(make())

    run_as(kind, work())


@pytest.mark.parametrize("kind", FORMS)
def test_a_client_that_a_sentinel_made(behind_sentinel: Watched, kind: Kind) -> None:
    run(kind, lambda: RedisStore(sentinel_of(behind_sentinel, kind).master_for(SERVICE), wait=1))


@pytest.mark.parametrize("kind", FORMS)
def test_sentinels_that_are_no_longer_in_the_drivers_list_are_asked_again(
    behind_sentinel: Watched, kind: Kind
) -> None:
    """Fails when the last sentinel that is left takes the store along, though others are there."""

    async def work() -> None:
        known = sentinel_of(behind_sentinel, kind)
        every, store = set(known.sentinels), RedisStore(known.master_for(SERVICE))
        await store.time()  # the first look is a second from here
        known.sentinels[:] = known.sentinels[:1] * len(every)
        deadline = time.monotonic() + 60
        while set(known.sentinels) != every and time.monotonic() < deadline:
            await store.time()
        assert (set(known.sentinels), len(known.sentinels)) == (every, len(every))
        await store.close()

    run_as(kind, work())


@pytest.mark.parametrize("kind", FORMS)
def test_a_client_of_a_cluster(cluster: Nodes, kind: Kind) -> None:
    """Its own repeating does not matter, as the store sends by connections of its own."""

    def make() -> RedisStore:
        return RedisStore(
            driver_of(kind).RedisCluster(host="127.0.0.1", port=cluster.masters[1].port)
        )

    run(kind, make)


@pytest.mark.parametrize("kind", FORMS)
def test_a_client_of_a_cluster_with_tls_and_a_user(guarded: "Guarded", kind: Kind) -> None:
    """Fails when a setting of the client does not get to the store's own connections."""

    def make() -> RedisStore:
        settings = {"host": "127.0.0.1", "port": guarded.tls, "ssl": True, **guarded.tls_settings}
        login = {"username": "shop", "password": "shop-password"}
        return RedisStore(driver_of(kind).RedisCluster(**settings, **login))

    run(kind, make)


async def test_what_is_no_fitting_client_is_refused(behind_sentinel: Watched) -> None:
    """By name, so that nobody finds out by the first request."""
    queueing: list[tuple[object, str]] = [
        (driver_of(Kind.BLOCKING).Redis().pipeline(), "Pipeline"),
        (driver_of(Kind.ASYNCIO).Redis().pipeline(), "Pipeline"),
        (valkey_driver.Valkey(), "valkey.client.Valkey"),
        (sentinel_of(behind_sentinel, Kind.BLOCKING), "Sentinel"),
        (sentinel_of(behind_sentinel, Kind.ASYNCIO).slave_for(SERVICE), "master_for"),
        (sentinel_of(behind_sentinel, Kind.BLOCKING).slave_for(SERVICE), "master_for"),
        ("redis://", "str"),
    ]
    for client, said in queueing:
        unfit: Any = client
        with pytest.raises(ConfigurationError, match=said):
            RedisStore(unfit)


async def test_a_cluster_by_the_url_of_one_server_says_what_to_use(cluster: Nodes) -> None:
    """Fails when the way out has to be guessed from `MOVED`."""
    first = cluster.masters[0]
    store = store_from_url(f"redis://127.0.0.1:{first.port}")
    elsewhere = (f"{n:022}" for n in range(100))
    id = next(id for id in elsewhere if cluster.owner(f"coatcheck:s:{id}") is not first)
    with pytest.raises(StoreUnavailable, match=r"redis\+cluster://"):
        await store.load(id)
    await store.close()


async def test_a_server_by_the_url_of_a_cluster_is_an_outage(redis: Server) -> None:
    store = store_from_url(f"redis+cluster://127.0.0.1:{redis.port}")
    with pytest.raises(StoreUnavailable, match="cluster support disabled"):
        await store.load(make_record().id)
    await store.close()


@pytest.mark.parametrize(
    "nobody",
    [
        "redis+sentinel://:hunter2@127.0.0.1:1/m?sentinel_password=hunter2",
        "redis+cluster://:hunter2@127.0.0.1:1",
    ],
)
@pytest.mark.parametrize("kind", FORMS)
def test_an_application_starts_without_its_servers(nobody: str, kind: Kind) -> None:
    """Fails when making a store connects."""
    store = RedisStore.from_url(nobody, kind=kind)

    async def work() -> None:
        with pytest.raises(StoreUnavailable) as outage:
            await store.load(make_record().id)
        assert "hunter2" not in "".join(traceback.format_exception(outage.value))
        await store.close()

    run_as(kind, work())


@pytest.fixture
def left_behind() -> Generator[None]:
    """Let what nobody closed be found while the test still says that it may be."""
    yield
    gc.collect()


# Nobody closed the connections of a loop that is gone, and Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("left_behind")
@pytest.mark.parametrize("topology", ["behind_sentinel", "cluster"])
def test_a_journey(topology: str, request: pytest.FixtureRequest) -> None:
    """The event loop changes on the way, and threads and asyncio share the session."""
    servers: Any = request.getfixturevalue(topology)
    journey(servers.url(f"prefix={uuid.uuid4().hex}"))


def journey(url: str) -> None:
    store = store_from_url(url)
    sessions = Sessions(store)

    async def sign_in() -> Any:
        session = await sessions.open(None)
        session.sign_in("alice")
        session["cart"] = {"hat": 1}
        return (await sessions.commit(session)).token

    async def read(token: Any) -> tuple[str | None, dict[str, Any]]:
        session = await sessions.open(token)
        return session.subject, dict(session)

    token = asyncio.run(sign_in())
    assert asyncio.run(read(token)) == ("alice", {"cart": {"hat": 1}})
    threads = BlockingSessions(store_from_url(url, blocking=True))
    assert [info.id for info in threads.list("alice")] == [token.id]
    assert threads.count() == 1
    assert threads.end_all("alice") == 1
    threads.close()

    async def after() -> None:
        assert (await read(token))[0] is None
        await sessions.close()

    asyncio.run(after())


class Guarded:
    """Ways to servers that want a certificate and a user."""

    def __init__(self, folder: Path, tls: int) -> None:
        self.tls = tls
        certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
        self.tls_settings = {
            "ssl_ca_certs": certificate,
            "ssl_certfile": certificate,
            "ssl_keyfile": key,
        }
        self.query = "&".join(f"{name}={value}" for name, value in self.tls_settings.items())


def tls_options(folder: Path) -> list[str]:
    certificate = str(folder / "certificate.pem")
    return [
        "--tls-cert-file", certificate, "--tls-ca-cert-file", certificate,
        "--tls-key-file", str(folder / "key.pem"), "--tls-auth-clients", "yes",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Generator[Guarded]:
    """A cluster of one node."""
    folder, tls = tmp_path_factory.mktemp("guarded"), free_port()
    certify(folder)
    options = [*tls_options(folder), "--tls-port", str(tls), "--user", "shop", *USER]
    options += ["+command"]  # which redis-py's own client of a cluster asks for
    options += ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    options += ["--tls-cluster", "yes"]  # else it names the other port
    with redis_server(*options) as server:
        ask(server, "CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        until(lambda: b"cluster_state:ok" in ask(server, "CLUSTER", "INFO"))
        yield Guarded(folder, tls)


@pytest.fixture(scope="module")
def guarded_sentinel(tmp_path_factory: pytest.TempPathFactory) -> Generator[Guarded]:
    """A master and a sentinel that speak TLS to everybody."""
    folder = tmp_path_factory.mktemp("guarded-sentinel")
    certify(folder)
    tls, of_sentinel, plain = free_port(), free_port(), free_port()
    options = [*tls_options(folder), "--tls-replication", "yes"]
    config = folder / "sentinel.conf"
    config.write_text(f"sentinel monitor {SERVICE} 127.0.0.1 {tls} 1\n")
    with redis_server(*options, "--tls-port", str(tls), "--user", "shop", *USER):
        command = [program("redis-server"), str(config), "--sentinel", "--port", str(plain)]
        command += ["--tls-port", str(of_sentinel), "--bind", "127.0.0.1", "--dir", str(folder)]
        sentinel = Server([*command, "--loglevel", "warning", *options], plain, folder)
        sentinel.start()
        try:
            until(lambda: ask(sentinel, "SENTINEL", "CKQUORUM", SERVICE))
            yield Guarded(folder, of_sentinel)
        finally:
            sentinel.stop()


@pytest.mark.parametrize("kind", FORMS)
def test_a_guarded_cluster_by_url(guarded: Guarded, kind: Kind) -> None:
    login = "shop:shop-password@127.0.0.1"
    url = f"rediss+cluster://{login}:{guarded.tls}?{guarded.query}"
    run(kind, lambda: RedisStore.from_url(url, kind=kind))


@pytest.mark.parametrize("kind", FORMS)
def test_a_guarded_master_by_url(guarded_sentinel: Guarded, kind: Kind) -> None:
    """Fails when the sentinel is not asked by TLS, or the master not told who it is."""
    login = "shop:shop-password@127.0.0.1"
    url = f"valkeys+sentinel://{login}:{guarded_sentinel.tls}/{SERVICE}?{guarded_sentinel.query}"
    run(kind, lambda: RedisStore.from_url(url, kind=kind))


@pytest.mark.parametrize("kind", FORMS)
def test_a_client_without_certificate_is_an_outage(guarded: Guarded, kind: Kind) -> None:
    ca = guarded.tls_settings["ssl_ca_certs"]
    url = f"rediss+cluster://shop:shop-password@127.0.0.1:{guarded.tls}?ssl_ca_certs={ca}"
    with pytest.raises(StoreUnavailable) as refused:
        run(kind, lambda: RedisStore.from_url(url, kind=kind))
    assert "shop-password" not in str(refused.value)
