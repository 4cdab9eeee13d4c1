"""Run the one `async` source for blocking callers, and wait in whichever world the caller lives."""

import asyncio
import threading
import time
import types
from collections.abc import Coroutine, Generator
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class Kind(StrEnum):
    """How a store waits: it blocks the thread, it suspends to asyncio, or as its caller does.

    One that waits as its caller does hardly ever waits, and then by `pause` alone: nothing in it
    asks for the current task, as `asyncio.timeout` does, for it may be anybody's.
    """

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
    """Return the event loop that runs here, `None` in a thread or a greenlet without one."""
    # For event loops, its documentation says; the one for everybody raises where there is none.
    loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]
    # Greenlets share a thread, and with it the note of which loop runs; not their number.
    if loop is not None and getattr(loop, "_thread_id", None) not in (None, threading.get_ident()):
        return None
    return loop


def start(
    coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop
) -> asyncio.Task[None] | None:
    """Run a coroutine here until it first waits; let a task go on from there, if it does.

    For coroutines that seldom wait, and then in a way that does not ask which task they are in.
    """
    try:
        waited_for = coroutine.send(None)
    except StopIteration:
        return None
    task = loop.create_task(_rest(coroutine, waited_for))
    task.add_done_callback(lambda _: coroutine.close())  # it may be cancelled before it goes on
    return task


async def _rest(coroutine: Coroutine[Any, Any, None], waited_for: object) -> None:
    await _go_on(coroutine, waited_for)


@types.coroutine
def _go_on(
    coroutine: Coroutine[Any, Any, None], waited_for: object
) -> Generator[object, object, None]:
    while True:
        try:
            value = yield waited_for
        except BaseException as error:
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, value)
        try:
            waited_for = step()
        except StopIteration:
            return


async def pause(seconds: float) -> None:
    """Wait: suspend where an event loop runs, block the thread elsewhere."""
    if running_loop() is None:
        time.sleep(seconds)  # noqa: ASYNC251 - there is no loop to hold up
    else:
        await asyncio.sleep(seconds)
