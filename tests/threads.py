"""What blocks, in tests that await: it does so in a thread."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar, cast

from coatcheck import BlockingSessions, Sessions, Store
from coatcheck.waiting import Kind, finish

T = TypeVar("T")
THREADS = ThreadPoolExecutor(64)


async def ask(store: Store, question: Coroutine[Any, Any, T]) -> T:
    """Wait for a store's answer, in a thread where it blocks."""
    if store.kind is Kind.BLOCKING:
        return await asyncio.get_running_loop().run_in_executor(THREADS, finish, question)
    return await question


def run_as(form: Kind, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in this thread, with an event loop or without one."""
    return finish(work) if form is Kind.BLOCKING else asyncio.run(work)


class _Awaited:
    def __init__(self, sessions: BlockingSessions) -> None:
        self._sessions = sessions

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, getattr(self._sessions, name))

    @staticmethod
    async def _call(method: Any, *arguments: Any, **named: Any) -> Any:
        call = partial(method, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(THREADS, call)


def awaited(sessions: BlockingSessions) -> Sessions:
    """Return sessions for threads with the methods of those for asyncio."""
    return cast("Sessions", _Awaited(sessions))
