"""Time that passes at once, as far as an event loop is concerned."""

import asyncio
from collections.abc import Iterable
from typing import Any


def let_pass(seconds: float) -> None:
    """Move the running loop's clock on: what waited for less gives up, and nobody waits for it."""
    loop = asyncio.get_running_loop()
    now = loop.time

    def later() -> float:
        return now() + seconds

    vars(loop)["time"] = later


async def let_pass_until_done(tasks: "Iterable[asyncio.Task[Any]]", minutes: int = 2) -> None:
    """Move it on, second by second, until tasks are done or that long has passed."""
    waiting = list(tasks)
    for _ in range(60 * minutes):
        if all(task.done() for task in waiting):
            return
        let_pass(1)
        for _ in range(50):
            await asyncio.sleep(0)
