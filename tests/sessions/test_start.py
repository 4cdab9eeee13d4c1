"""A coroutine that seldom waits is run on the spot, and goes on in a task if it does wait."""

import asyncio
from inspect import iscoroutine

from coatcheck.waiting import start


async def test_what_never_waits_needs_no_task() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("here")

    assert start(work(), asyncio.get_running_loop()) is None
    assert done == ["here"]


async def test_what_waits_goes_on_in_a_task() -> None:
    """Fails when the task is given anything but a coroutine: Python 3.12 and later refuse it."""
    done, may_go_on = list[str](), asyncio.Event()

    async def work() -> None:
        try:
            done.append("here")
            await may_go_on.wait()
            await asyncio.sleep(0)
            done.append("there")
        finally:
            done.append("over")

    task = start(work(), asyncio.get_running_loop())
    assert task is not None
    assert iscoroutine(task.get_coro())
    assert done == ["here"]
    may_go_on.set()
    await task
    assert done == ["here", "there", "over"]


async def test_a_cancelled_one_ends() -> None:
    """Before it goes on, too. Fails when what it holds is held for good."""
    done = list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            done.append("over")

    for turns in (0, 2):
        task = start(work(), asyncio.get_running_loop())
        assert task is not None
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert done == ["over", "over"]
