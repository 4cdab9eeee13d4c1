"""Run the one `async` source for blocking callers, and wait in whichever world the caller lives."""

import asyncio
import time
from collections.abc import Coroutine
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


class Kind(StrEnum):
    """How a store waits: it blocks the thread, it suspends to asyncio, or as its caller does."""

    BLOCKING = "blocking"
    ASYNCIO = "asyncio"
    EITHER = "either"


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end, here and now, and return its result.

    Raises:
        RuntimeError: it did suspend, so an asyncio store or a running event loop is involved.
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError(
        "a blocking call was made where asyncio waits: use Sessions with `await` in an asyncio "
        "application, and BlockingSessions only in threads without an event loop"
    )


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs here, `None` in a thread without one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def pause(seconds: float) -> None:
    """Wait: suspend where an event loop runs, block the thread elsewhere."""
    if running_loop() is None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop to hold up
    else:
        await asyncio.sleep(seconds)
