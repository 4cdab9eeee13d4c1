"""A small application in which any request can be held up, and a client that sees every cookie."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2

from coatcheck import Event, Happened, Policy, Store, Token
from coatcheck.core.events import Listener
from coatcheck.waiting import Kind
from tests.chaos.site import InTasks, InThreads


class Answer:
    """A response, and what it does to the client's cookies."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.body: Any = response.json() if response.content else None
        self.cookies = response.headers.get_list("set-cookie")

    @property
    def cookie(self) -> str:
        """The one cookie handed out, as the client sends it back."""
        (line,) = [line for line in self.cookies if "Max-Age=0" not in line]
        return line.partition(";")[0]

    @property
    def token(self) -> Token:
        token = Token.parse(self.cookie.partition("=")[2])
        assert token is not None
        return token


class Held:
    """A request whose handler has its session, and waits."""

    def __init__(self, task: asyncio.Task[Answer], go: asyncio.Event) -> None:
        self._task, self._go = task, go

    async def finish(self) -> Answer:
        self._go.set()
        return await self._task


class Shop:
    """The application, and its clients.

    Args:
        form: whether tasks serve it, or threads.
    """

    def __init__(
        self,
        store: Store,
        *,
        form: Kind = Kind.ASYNCIO,
        clock: Callable[[], int] | None = None,
        policy: Policy | None = None,
        on_event: Listener | None = None,
    ) -> None:
        self.events: list[Event] = []
        self._gates: dict[str, tuple[asyncio.Event, asyncio.Event]] = {}
        self._site = (InThreads if form is Kind.BLOCKING else InTasks)(
            store,
            self._pass,
            clock=clock,
            policy=policy,
            on_event=on_event or self.events.append,
        )
        self.sessions = self._site.sessions

    async def send(self, path: str, cookie: str | None = None, *, gate: str = "") -> Answer:
        """Do what `path` says, such as `/add/apple`, with this cookie and no other."""
        headers = {"x-gate": gate} if gate else {}
        if cookie:
            headers["cookie"] = cookie
        request = httpx2.Request("POST", f"https://shop.test{path}", headers=headers)
        return Answer(await self._site.answer(request))

    async def hold(self, path: str, cookie: str | None = None) -> Held:
        """Send a request and return once its handler has the session."""
        gate = str(len(self._gates))
        reached, go = self._gates[gate] = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(self.send(path, cookie, gate=gate))
        async with asyncio.timeout(60):
            await reached.wait()
        return Held(task, go)

    def happened(self, kind: Happened) -> int:
        """Return how often something happened."""
        return sum(event.kind is kind for event in self.events)

    async def close(self) -> None:
        await self.sessions.close()

    async def _pass(self, gate: str) -> None:
        reached, go = self._gates[gate]
        reached.set()
        await go.wait()
