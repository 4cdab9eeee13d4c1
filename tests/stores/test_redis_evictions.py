"""What Redis threw away is counted: on every master, since the first look, by who may ask."""

import asyncio
import uuid
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest

from coatcheck.errors import StoreUnavailable
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import make_record
from coatcheck.waiting import Kind, finish
from tests.redis_topologies import USER, Nodes, Watched, ask, evict_all
from tests.servers import Server, redis_server

Run = Callable[[Any], Any]
MANY = 60
"""So many keys that every master of three has some."""


@pytest.fixture(params=[Kind.ASYNCIO, Kind.BLOCKING])
def kind(request: pytest.FixtureRequest) -> Kind:
    kind: Kind = request.param
    return kind


@pytest.fixture
def run(kind: Kind) -> Generator[Run]:
    """Run what a store does as an application with a client of that kind does."""
    with asyncio.Runner() as runner:
        yield finish if kind is Kind.BLOCKING else runner.run


@pytest.fixture(params=["redis", "valkey", "behind_sentinel", "cluster"])
def masters(request: pytest.FixtureRequest) -> tuple[str, Sequence[Server]]:
    """The URL of each topology in turn, and the masters that it leads to."""
    servers: Server | Watched | Nodes = request.getfixturevalue(request.param)
    if isinstance(servers, Watched):
        return servers.url(), [servers.master()]
    if isinstance(servers, Nodes):
        return servers.as_user(), servers.masters
    return f"{request.param}://127.0.0.1:{servers.port}", [servers]


def evict(*servers: Server) -> int:
    return sum(map(evict_all, servers))


def fill(store: RedisStore, run: Run) -> None:
    for _ in range(MANY):
        run(store.save(make_record(), None))


def test_every_master_counts_from_the_first_look_on(
    masters: tuple[str, Sequence[Server]], kind: Kind, run: Run
) -> None:
    """And each key once. Fails when a master is left out, or the past is told as news."""
    url, servers = masters
    store = RedisStore.from_url(url, kind=kind)
    fill(store, run)
    evict(*servers)
    assert run(store.evicted()) == 0
    fill(store, run)
    assert run(store.evicted()) == 0
    fill(store, run)
    evicted = evict(*servers)
    assert evicted >= MANY
    assert run(store.evicted()) == evicted
    assert run(store.evicted()) == 0
    run(store.close())


def test_a_reply_of_the_newer_protocol_is_understood(redis: Server, kind: Kind, run: Run) -> None:
    store = RedisStore.from_url(f"redis://127.0.0.1:{redis.port}?protocol=3", kind=kind)
    assert run(store.evicted()) == 0
    fill(store, run)
    assert evict(redis) == run(store.evicted()) >= MANY
    run(store.close())


def test_a_server_that_starts_anew_counts_anew(kind: Kind, run: Run) -> None:
    """Fails when its new count is compared with that of the run before, or less is told as more."""
    with redis_server() as server:
        store = RedisStore.from_url(f"redis://127.0.0.1:{server.port}", kind=kind)
        assert run(store.evicted()) == 0
        fill(store, run)
        evicted = evict(server)
        assert run(store.evicted()) == evicted
        ask(server, "CONFIG", "RESETSTAT")
        assert run(store.evicted()) == 0
        fill(store, run)
        assert evict(server) == run(store.evicted()) == MANY
        server.stop()
        with pytest.raises(StoreUnavailable):
            run(store.evicted())
        server.start()
        fill(store, run)
        again = evict(server)
        assert run(store.evicted()) == again >= MANY
        run(store.close())


@pytest.mark.parametrize("is_renamed", [False, True])
def test_who_may_not_ask_asks_once_and_goes_on(kind: Kind, run: Run, is_renamed: bool) -> None:
    """Fails when each look leaves a line in the server's log of refusals, or an outage is told."""
    rules = [rule for rule in USER if rule != "+info"]
    options = ["--rename-command", "INFO", uuid.uuid4().hex] if is_renamed else []
    login = "" if is_renamed else "shop:shop-password@"
    with redis_server("--user", "shop", *rules, *options) as server:
        store = RedisStore.from_url(f"redis://{login}127.0.0.1:{server.port}", kind=kind)
        assert [run(store.evicted()) for _ in range(3)] == [0, 0, 0]
        fill(store, run)
        run(store.close())
        if not is_renamed:
            (refusal,) = ask(server, "ACL", "LOG")
            assert refusal[:2] == [b"count", 1]
