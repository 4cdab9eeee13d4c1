"""Streams that are made chunk by chunk: they stop when their session is over."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from typing import Any, TypeVar

from coatcheck.lookout import Watched
from coatcheck.waiting import finish

T = TypeVar("T")
Look = Coroutine[Any, Any, bool]


def watched(
    chunks: Iterable[T], watch: Watched, run: Callable[[Look], bool] = finish
) -> Generator[T]:
    """Pass chunks on for as long as the session goes on; who made them closes them."""
    for chunk in chunks:
        if watch.is_due and not run(watch.look()):
            return
        yield chunk


async def watched_async(
    chunks: AsyncIterable[T], watch: Watched, run: Callable[[Look], Awaitable[bool]]
) -> AsyncGenerator[T]:
    """Do the same where an event loop runs."""
    async for chunk in chunks:
        if watch.is_due and not await run(watch.look()):
            return
        yield chunk


def has_length(names: Iterable[str]) -> bool:
    """Tell by its headers whether a response ends by itself, and cannot end before."""
    return any(name.lower() == "content-length" for name in names)
