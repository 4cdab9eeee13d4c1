"""Who waits for a connection has one in turn, whoever asks again meanwhile."""

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

from coatcheck import store_from_url
from coatcheck.stores.turns import TaskTurns, ThreadTurns
from coatcheck.waiting import Kind
from tests.chaos.link import Link
from tests.kinds import IN_BOTH_FORMS
from tests.threads import THREADS, ask

AT_ONCE, OFTEN, MOST = 8, 16, 500


@pytest.mark.parametrize("store_url", ["redis", "postgresql", "mariadb"], indirect=True)
@IN_BOTH_FORMS
async def test_nobody_starves(store_url: str, form: Kind) -> None:
    """Eight ask again as soon as they are answered, for two connections to a slow server.

    Fails when a connection that comes back goes to who asks next: then some are never answered.
    """
    port = urlsplit(store_url).port or 0
    async with Link(port, delay=0.005) as between:
        size = "pool_size" if "sql" in store_url else "max_connections"
        url = f"{store_url.replace(str(port), str(between.port))}&{size}=2"
        store = store_from_url(url, blocking=form is Kind.BLOCKING)
        begun, served = [0] * AT_ONCE, [0] * AT_ONCE

        async def visit(number: int) -> None:
            while max(served) < OFTEN and sum(begun) < MOST:
                await store.time()
                if all(begun):  # threads come to life one after the other
                    served[number] += 1
                else:
                    begun[number] += 1

        await asyncio.gather(*(ask(store, visit(number)) for number in range(AT_ONCE)))
        await ask(store, store.close())
    assert min(served) > OFTEN // 2


async def test_tasks_have_their_turns_in_the_order_in_which_they_came() -> None:
    """Without those who left. Fails when a turn is anybody's."""
    turns, order = TaskTurns(1, 60), list[int]()

    async def come(number: int) -> None:
        async with turns:
            order.append(number)

    async with turns:
        tasks = [asyncio.create_task(come(number)) for number in range(6)]
        await asyncio.sleep(0)
        tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 3, 4, 5]


def waiting_in(turns: ThreadTurns) -> int:
    inside: Any = turns
    return len(inside._waiting)


def queue_up(turns: ThreadTurns, number: int, work: Callable[[], object]) -> threading.Thread:
    """Start a thread, and return when it waits as the last of so many."""
    thread = threading.Thread(target=work)
    thread.start()
    while waiting_in(turns) < number:
        pass
    return thread


def test_threads_have_their_turns_in_the_order_in_which_they_came() -> None:
    """Fails when a turn is anybody's."""
    turns, order = ThreadTurns(1, 60), list[int]()

    def come(number: int) -> None:
        with turns:
            order.append(number)

    with turns:
        threads = [queue_up(turns, number + 1, partial(come, number)) for number in range(8)]
    for thread in threads:
        thread.join()
    assert order == list(range(8))


def test_who_had_no_turn_in_time_takes_none_along() -> None:
    """Fails when who gave up is handed one that then nobody has."""
    turns, given_up = ThreadTurns(1, 0.05, lambda: ValueError("late")), list[str]()

    def come() -> None:
        with pytest.raises(ValueError, match="late"), turns:
            pass
        given_up.append("late")

    with turns:
        threads = [threading.Thread(target=come) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert given_up == ["late"] * 3
    assert waiting_in(turns) == 0
    with turns:
        pass


def test_many_threads_lose_no_turn() -> None:
    """Some of them give up at any moment, also as one is handed to them."""
    turns = ThreadTurns(3, 0.001)
    inside, most, missed = list[None](), list[int](), list[None]()

    def come(_: int) -> None:
        for _ in range(100):
            try:
                with turns:
                    inside.append(None)
                    most.append(len(inside))
                    time.sleep(random.random() / 1_000)
                    inside.pop()
            except TimeoutError:
                missed.append(None)

    list(THREADS.map(come, range(10)))
    assert (max(most), len(inside), waiting_in(turns)) == (3, 0, 0)
    assert missed
    with turns, turns, turns, pytest.raises(TimeoutError), turns:
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_does_not_wait_for_threads_it_has_not() -> None:
    """Fails when a turn that a thread of the parent has is missing in the child for good."""
    turns = ThreadTurns(1, 0.1)
    with turns:
        if (child := os.fork()) == 0:
            with turns:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
