"""Parallel updates of one session in Flask: in one process, and on real servers."""

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from coatcheck.testing import Driver, HttpDriver, WsgiDriver
from tests.frameworks.served import make_app
from tests.servers import Server, free_port

UPDATES, CONNECTIONS = 200, 16
SHARED = pytest.mark.parametrize("store_url", ["sqlite", "redis"], indirect=True)
THREADS = ["gunicorn", "--workers=2", "--threads=8", "--bind=127.0.0.1:{}"]
GEVENT = ["gunicorn", "--workers=2", "--worker-class=gevent", "--bind=127.0.0.1:{}"]
PRELOADED = [*GEVENT, "--preload"]
GRANIAN = [
    "granian", "--interface=wsgi", "--workers=2", "--blocking-threads=8", "--port={}",
]  # fmt: skip


def wait_for_both(driver: Driver) -> None:
    """Wait until each of the two processes has answered; the port is open when one of them is."""
    deadline, seen = time.monotonic() + 90, set[bytes]()
    while len(seen) < 2:
        assert time.monotonic() < deadline, "only one process answers"
        with suppress(OSError):
            seen.add(driver.send("GET", "/process").body)


def visit(driver: Driver) -> set[bytes]:
    """Log in, change the session from several connections at once, log out.

    Returns:
        the processes that served the updates.
    """

    def get(path: str) -> tuple[int, bytes]:
        reply = driver.send("GET", path, headers)
        return reply.status, reply.body

    reply = driver.send("GET", "/login")
    (cookie,) = reply.all("set-cookie")
    headers = {"Cookie": cookie.partition(";")[0]}
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        answers = list(pool.map(get, [f"/add/{number}" for number in range(UPDATES)]))
    assert {status for status, _ in answers} == {200}
    reply = driver.send("GET", "/items", headers)
    assert reply.json() == [UPDATES, UPDATES]
    assert driver.send("GET", "/logout", headers).status == 200
    assert driver.send("GET", "/items", headers).status == 401
    return {body for _, body in answers}


def test_all_updates_from_threads_survive(store_url: str) -> None:
    """Fails when a save replaces what others saved meanwhile."""
    visit(WsgiDriver(make_app(store_url)))


@pytest.fixture
def serve(
    store_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[list[str]], Driver]:
    def start(command: list[str]) -> Driver:
        port = free_port()
        module, *options = command
        ours = [f"STORE={store_url}", f"PYTHONPATH={os.pathsep.join(sys.path)}"]
        run = ["env", *ours, sys.executable, "-m", module, *(part.format(port) for part in options)]
        server = Server([*run, "tests.frameworks.served:app"], port, tmp_path)
        server.start()
        request.addfinalizer(server.stop)
        return HttpDriver(port, server.stop)

    return start


@SHARED
@pytest.mark.parametrize(
    "command",
    [THREADS, GEVENT, PRELOADED, GRANIAN],
    ids=["threads", "gevent", "preloaded", "granian"],
)
def test_all_updates_on_a_real_server_survive(
    serve: Callable[[list[str]], Driver], command: list[str]
) -> None:
    """Two processes; under gevent every lock and every socket is gevent's."""
    driver = serve(command)
    wait_for_both(driver)
    deadline, served_by = time.monotonic() + 90, visit(driver)
    while len(served_by) < 2:  # the other one had no processor
        assert time.monotonic() < deadline, "only one process serves"
        served_by |= visit(driver)


@SHARED
def test_an_event_loop_in_one_greenlet_is_none_of_the_others(
    serve: Callable[[list[str]], Driver],
) -> None:
    """Flask runs an `async` view in one. Fails when who saves beside it takes it for its own."""
    driver = serve([*GEVENT, "--workers=1"])
    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(driver.send, "GET", "/wait")
        while driver.send("GET", "/is-waiting").body != b"True":
            assert not waited.done()
        try:
            visit(driver)
        finally:
            driver.send("GET", "/go-on")
        assert waited.result().status == 200


@SHARED
@pytest.mark.parametrize("command", [THREADS, GEVENT], ids=["threads", "gevent"])
def test_a_stream_ends_with_its_session(
    serve: Callable[[list[str]], Driver], command: list[str]
) -> None:
    """Whichever process the logout goes to. Without a look the stream would never end."""
    driver = serve(command)
    wait_for_both(driver)
    (cookie,) = driver.send("GET", "/login").all("set-cookie")
    headers = {"Cookie": cookie.partition(";")[0]}
    port: int = vars(driver)["_port"]
    with closing(HTTPConnection("127.0.0.1", port, timeout=90)) as connection:
        connection.request("GET", "/ticks", headers={**headers, "X-Forwarded-Proto": "https"})
        stream = connection.getresponse()
        assert stream.readline() == b"tick\n"
        assert driver.send("GET", "/logout", headers).status == 200
        assert stream.read().replace(b"tick\n", b"") == b""
