"""A small shop that every framework can serve: what its pages do with the session.

An adapter's test leads each request to `Pages.answer`, or `Pages.answer_async`, and makes a
response of what comes back.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from coatcheck.core.session import Session
from coatcheck.errors import StoreUnavailable


class Page(NamedTuple):
    """What is to be answered.

    Attributes:
        chunks: parts of a body that are to be streamed; each is to be made when its turn comes.
    """

    body: str = ""
    status: int = 200
    chunks: Callable[[], Generator[str]] | None = None


class Pages:
    """The pages, by path; `query` is what follows the question mark.

    Attributes:
        on_meeting: called when all who wait at `/meet` are there, before the last of them goes on.
        on_streaming: called when a part of `/stream` was sent, before the next one is made.
    """

    def __init__(self, meeting: int = 1) -> None:
        """Let as many requests as `meeting` wait for each other at `/meet`."""
        self.on_meeting: Callable[[], object] = int
        self.on_streaming: Callable[[], object] = int
        self._threads = threading.Barrier(meeting, action=self._meet)
        self._tasks = asyncio.Barrier(meeting)

    def _meet(self) -> None:
        self.on_meeting()

    def answer(self, path: str, query: str, get: Callable[[], Session]) -> Page:
        """Answer a request in a thread.

        Args:
            get: returns the session, as the framework's users would get at it.
        """
        steps = self._steps(path, query, get)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                page: Page = stop.value
                return page
            self._threads.wait(10)

    async def answer_async(self, path: str, query: str, get: Callable[[], Session]) -> Page:
        """Answer a request in an event loop."""
        steps = self._steps(path, query, get)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                page: Page = stop.value
                return page
            async with asyncio.timeout(10):
                if await self._tasks.wait() == 0:
                    self._meet()

    def _steps(
        self, path: str, query: str, get: Callable[[], Session]
    ) -> Generator[None, None, Page]:
        """Carry out one request; where it yields, it waits for the others."""
        if path == "/hello":
            return Page("hello, whoever you are")
        if path == "/fallback":
            try:
                return Page(json.dumps(len(get())))
            except StoreUnavailable:
                return Page("later", 503)
        session = get()
        if path == "/login":
            session.sign_in(query or "alice")
        elif path == "/me":
            return Page(json.dumps(session.require_subject()))
        elif path == "/secret":
            return Page(json.dumps(session.require(level=2, max_age="5m")))
        elif path == "/step-up":
            session.step_up(2)
        elif path == "/cart":
            return Page(json.dumps(session.get("cart", {})))
        elif path == "/half":
            return Page(json.dumps("half" in session))
        elif path == "/put":
            session.setdefault("cart", {})[query] = 1
        elif path == "/meet":
            session.require_subject()
            yield
            session["cart"][query] = 1
        elif path == "/rotate":
            session.privilege_changed()
        elif path == "/logout":
            session.end()
        elif path == "/stream":
            session["streamed"] = True
            return Page(chunks=self._streaming(session, query))
        elif path == "/error":
            session["half"] = "done"
            if query == "end":
                session.end()
            raise RuntimeError("a bug in the application")
        elif path == "/status":
            session["half"] = "done"
            return Page("sorry", int(query))
        else:
            raise LookupError(path)
        return Page("done")

    def _streaming(self, session: Session, query: str) -> Callable[[], Generator[str]]:
        def chunks() -> Generator[str]:
            yield "one "
            self.on_streaming()
            if query == "late":
                data: dict[str, Any] = session
                data["late"] = True
            yield "two"

        return chunks
