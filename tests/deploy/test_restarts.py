"""Servers die or are restarted behind nginx: nobody is logged out, nothing is done twice."""

import socket
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import httpx2
import pytest

from tests.deploy.site import SERVERS, Site
from tests.deploy.until import until


@pytest.fixture
def browser(shop: Site) -> Generator[httpx2.Client]:
    with shop.browser() as client:
        assert client.post("/login").status_code == 200
        yield client


@pytest.fixture
def aside() -> Generator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def everyone_answers(browser: httpx2.Client) -> bool:
    answers = [browser.get("/me") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    return {answer.json()["server"] for answer in answers} == set(SERVERS)


def test_a_post_whose_server_dies_is_not_sent_again(
    shop: Site, browser: httpx2.Client, aside: ThreadPoolExecutor
) -> None:
    """Fails when nginx says `non_idempotent`: a second server gets it."""
    answer = aside.submit(browser.post, "/stall")
    with shop.arrival() as stalled:
        shop.servers[stalled.server].kill()
    assert answer.result().status_code == 502
    assert not shop.has_arrivals()

    answers = [browser.post("/cart/hat") for _ in range(6)]
    assert [answer.json() for answer in answers] == [{"hat": n} for n in range(1, 7)]
    me = [browser.get("/me").json() for _ in range(6)]
    assert {each["server"] for each in me} == set(SERVERS) - {stalled.server}
    assert all((each["subject"], each["cart"]) == ("alice", {"hat": 6}) for each in me)

    shop.servers[stalled.server].start()
    assert everyone_answers(browser)


def test_a_get_whose_server_dies_is_answered_by_another(
    shop: Site, browser: httpx2.Client, aside: ThreadPoolExecutor
) -> None:
    answer = aside.submit(browser.get, "/stall")
    with shop.arrival() as first:
        shop.servers[first.server].kill()
    with shop.arrival() as second:
        assert not answer.done()
    assert answer.result().json() == {"server": second.server}
    assert second.server != first.server
    shop.servers[first.server].start()


def test_a_new_version_is_rolled_out_and_nobody_notices(
    shop: Site, browser: httpx2.Client, aside: ThreadPoolExecutor
) -> None:
    """Each server finishes and saves what it has begun, while the others take what comes.

    Fails when a server that was down is left out for a while: the last restart leaves none.
    """
    rolled: list[str] = []
    with visitor(shop) as statuses:
        while set(rolled) != set(SERVERS):
            slow = aside.submit(browser.post, "/stall")
            with shop.arrival() as arrival:
                server = shop.servers[arrival.server]
                stopped = aside.submit(server.stop)
                until(partial(refuses, server.port))
            assert slow.result().json() == {"server": arrival.server}
            stopped.result()
            server.start()
            rolled.append(arrival.server)
    assert set(statuses) == {200}
    assert everyone_answers(browser)
    assert browser.get("/stalled").json() == len(rolled)


@contextmanager
def visitor(shop: Site) -> Generator[list[int]]:
    """Let somebody who is signed in look again and again; gives the statuses."""
    over = threading.Event()
    statuses: list[int] = []

    def look() -> None:
        with shop.browser() as browser:
            browser.post("/login")
            while not over.wait(0.01):
                statuses.append(browser.get("/me").status_code)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()


def refuses(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) != 0
