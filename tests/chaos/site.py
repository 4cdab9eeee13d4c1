"""The shop's application as tasks serve it, by ASGI, and as threads do, by WSGI."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, MutableMapping
from typing import Any, TypedDict, Unpack

import httpx2

from coatcheck import BlockingSessions, Policy, Sessions, Store
from coatcheck.core.events import Listener
from coatcheck.waiting import finish
from coatcheck.web import asgi, wsgi
from tests.chaos.actions import act
from tests.threads import THREADS, awaited

Message = MutableMapping[str, Any]
Pass = Callable[[str], Coroutine[Any, Any, None]]


class Options(TypedDict):
    clock: Callable[[], int] | None
    policy: Policy | None
    on_event: Listener


class InTasks:
    """Serves in an event loop.

    Args:
        wait: what a request waits for that has a gate, once its handler has the session.
    """

    def __init__(self, store: Store, wait: Pass, **options: Unpack[Options]) -> None:
        self._wait = wait
        self.sessions = Sessions(store, **options)
        app = asgi.SessionMiddleware(self._serve, sessions=self.sessions)
        self._transport = httpx2.ASGITransport(app)

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._transport.handle_async_request(request)
        await response.aread()
        return response

    async def _serve(self, scope: Message, receive: object, send: Any) -> None:
        if gate := dict(scope["headers"]).get(b"x-gate"):
            await self._wait(gate.decode())
        body = await act(self.sessions, scope["session"], scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


class InThreads:
    """Serves each request in a thread; `sessions` are awaited as others are."""

    def __init__(self, store: Store, wait: Pass, **options: Unpack[Options]) -> None:
        self._wait, self._loop = wait, asyncio.get_running_loop()
        blocking = BlockingSessions(store, **options)
        self.sessions, self._inner = awaited(blocking), blocking.inner
        app = wsgi.SessionMiddleware(self._serve, sessions=blocking)
        self._transport = httpx2.WSGITransport(app)

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        return await self._loop.run_in_executor(THREADS, self._answer, request)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        response = self._transport.handle_request(request)
        response.read()
        return response

    def _serve(self, environ: Message, start: Any) -> Iterable[bytes]:
        if gate := environ.get("HTTP_X_GATE"):
            asyncio.run_coroutine_threadsafe(self._wait(gate), self._loop).result()
        session = environ["coatcheck.session"]
        body = finish(act(self._inner, session, environ["PATH_INFO"]))
        start("200 OK", [])
        return [body]
