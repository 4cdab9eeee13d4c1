"""A connection that a thread used is lent on for a moment; the pool still does its part for it."""

import os
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
import redis

from coatcheck.stores.redis import RedisStore
from coatcheck.stores.redis.loans import LENT_FOR, Loans
from coatcheck.testing import make_record
from coatcheck.waiting import Kind, finish
from tests.servers import redis_server


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def port() -> Generator[int]:
    """Of a server that others tell nothing, not even late that they are gone."""
    with redis_server("--appendonly", "no") as server:
        yield server.port


@pytest.fixture
def server(port: int) -> Generator[Any]:
    """A client of its own, with one connection."""
    client: Any = redis.Redis(port=port, single_connection_client=True)
    yield client
    client.close()


@pytest.fixture
def client(port: int) -> Generator[Any]:
    """What the loans are from."""
    client: Any = redis.Redis.from_pool(redis.ConnectionPool(port=port, max_connections=8))
    yield client
    client.close()


def idle(client: Any) -> int:
    """Return how many connections the pool has to hand."""
    return int(client.connection_pool.get_connection_count()[0][0])


def at_once(
    count: int, work: Callable[[], object], meanwhile: Callable[[], object]
) -> list[object]:
    """Do the same in many threads, something else while they are at it, and return the errors."""
    errors: list[object] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()
    return errors


def received(server: Any) -> int:
    return int(server.info("stats")["total_connections_received"])


def test_the_next_command_has_the_same_connection(client: Any, server: Any) -> None:
    """Fails when it goes back to the pool each time."""
    loans = Loans(client.connection_pool)
    ids = {loans.send(("CLIENT", "ID")) for _ in range(3)}
    assert (len(ids), idle(client)) == (1, 0)
    loans.close()
    assert idle(client) == 1


def test_the_pool_gets_it_back_soon(client: Any) -> None:
    """Fails when it is kept for good: credentials are renewed, and masters left, by the pool."""
    clock = Clock()
    loans = Loans(client.connection_pool, clock)
    loans.send(("PING",))
    connection = next(iter(client.connection_pool._in_use_connections))
    clock.now += LENT_FOR
    given_back: list[Any] = []
    release = client.connection_pool.release

    def note(connection: Any) -> None:
        given_back.append(connection)
        release(connection)

    client.connection_pool.release = note
    loans.send(("PING",))
    assert given_back == [connection]


def test_one_that_was_closed_is_found_out(port: int, server: Any) -> None:
    """Fails when a read is not repeated, or anything else is sent without a look."""
    store = RedisStore.from_url(f"redis://127.0.0.1:{port}", kind=Kind.BLOCKING)
    record = make_record()
    finish(store.save(record, None))
    server.client_kill_filter(_type="normal", skipme=True)
    assert finish(store.load(record.id)) == record
    server.client_kill_filter(_type="normal", skipme=True)
    finish(store.touch(record, record.seen_at + 1))
    finish(store.close())


def test_a_reply_that_nobody_read_is_nobodys(client: Any) -> None:
    """Fails when the connection of a command that was broken off is lent on as it is."""

    class Broken(BaseException):
        """What a signal raises."""

    loans = Loans(client.connection_pool)
    loans.send(("PING",))
    connection = next(iter(client.connection_pool._in_use_connections))
    read = connection.read_response

    def broken_off() -> None:
        connection.read_response = read
        raise Broken

    connection.read_response = broken_off
    with pytest.raises(Broken):
        loans.send(("GET", "nothing"))
    assert not connection.is_connected
    assert loans.send(("ECHO", "mine")) == b"mine"


def test_others_who_use_the_client_have_half_of_it(client: Any, server: Any) -> None:
    """Fails when a burst leaves nothing for them."""
    loans = Loans(client.connection_pool)

    def wait() -> None:
        while server.info("clients")["blocked_clients"] < 8:
            pass
        for _ in range(8):
            server.rpush("queue", "go on")

    assert at_once(8, lambda: loans.send(("BLPOP", "queue", 0)), wait) == []
    assert idle(client) == 4


def test_nobody_waits_for_the_pool_while_a_connection_is_idle(port: int, server: Any) -> None:
    """Somebody else has one of its two. Fails when what comes back is lent on, past who waits."""
    kind: Any = redis.BlockingConnectionPool
    pool = kind(port=port, max_connections=2, timeout=2)
    other = pool.get_connection()
    loans: Any = Loans(pool)
    came = threading.Event()

    def come() -> None:
        loans.send(("PING",))
        came.set()

    holding = threading.Thread(target=loans.send, args=[("BLPOP", "first", 0)])
    holding.start()
    while not server.info("clients")["blocked_clients"]:
        pass
    late = threading.Thread(target=come)
    late.start()
    while not loans._waiting:
        pass
    server.rpush("first", "go on")
    holding.join()
    late.join()
    assert came.is_set()
    loans.close()
    pool.release(other)
    pool.disconnect()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_has_connections_of_its_own(client: Any, server: Any) -> None:
    """Fails when two processes read from one socket."""
    loans = Loans(client.connection_pool)
    loans.send(("PING",))
    before = received(server)
    if (child := os.fork()) == 0:
        os._exit(loans.send(("ECHO", "child")) != b"child")
    assert os.waitpid(child, 0)[1] == 0
    assert received(server) == before + 1
    assert loans.send(("ECHO", "parent")) == b"parent"


def test_a_server_that_says_nothing_is_waited_for_once(port: int, server: Any) -> None:
    """Fails when a limit in the kernel is none, is taken for a closed connection, or stays."""
    pool: Any = redis.ConnectionPool(port=port, socket_timeout=1)
    loans = Loans(pool)
    loans.send(("PING",))
    before = received(server)
    with pytest.raises(redis.TimeoutError):
        loans.send(("BLPOP", "nothing", 0))
    assert received(server) == before
    loans.send(("PING",))
    loans.close()
    connection = pool.get_connection()
    assert connection._sock.gettimeout() == 1
    pool.release(connection)
    pool.disconnect()
