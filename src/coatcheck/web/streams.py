"""Streams that are made chunk by chunk: they look no more, and stop when their session is over."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any, TypeVar

from coatcheck.core.unseen import look_away
from coatcheck.lookout import Watched
from coatcheck.waiting import finish
from coatcheck.web.exchange import Exchange

T = TypeVar("T")
Look = Coroutine[Any, Any, bool]


class Chunks:
    """Those of a response that nobody may look at the session for, once they are sent.

    Who looked between the response's start and the first chunk changed nothing about its headers,
    so what makes the chunks is not to see what they saw.

    Args:
        close: of who makes the chunks; called whether or not one of them was made.
    """

    def __init__(
        self, chunks: Iterable[Any], exchange: Exchange, close: Callable[[], object] | None
    ) -> None:
        self._chunks, self._exchange, self._close = chunks, exchange, close
        self._kind = type(exchange.session)

    def __iter__(self) -> Iterator[Any]:
        session = self._exchange.session
        if type(session) is not self._kind:
            look_away(session, self._kind)
        session.state.is_late = True
        return iter(self._chunks)

    def close(self) -> None:
        """Close what makes the chunks."""
        if self._close is not None:
            self._close()


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
