"""Call an ASGI application in this process."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from coatcheck.doctor.answer import Answer, shown_request
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.local import LOCALHOST
from coatcheck.errors import StoreUnavailable
from coatcheck.sessions import Sessions
from coatcheck.testing.loop_thread import LoopThread
from coatcheck.testing.outcome import Asgi, over_asgi
from coatcheck.waiting import Kind

_SECONDS = 30


class AsgiCaller:
    """A client of an application object, which is started in an event loop of its own thread.

    Args:
        host: as which it is asked.

    Raises:
        CannotRun: the application does not start.
    """

    def __init__(self, app: Asgi, host: str) -> None:
        self._app, self._host = app, host
        self.origin = f"https://{host}"
        self._state: dict[str, Any] = {}
        self._thread = LoopThread()
        self._down: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._life: asyncio.Task[None] | None = None
        try:
            self._thread.run(self._start(), _SECONDS)
        except BaseException as error:
            self._thread.close()
            if isinstance(error, TimeoutError):
                what = f"did not start in {_SECONDS} s"
                raise CannotRun(what, "application", "see its log") from None
            raise

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """See `Caller.send`."""
        request = shown_request(method, path)
        asking = over_asgi(
            self._app, method, path, headers, body,
            host=self._host, peer=LOCALHOST, state=self._state,
        )  # fmt: skip
        try:
            asked = self._thread.run(asking, _SECONDS)
        except TimeoutError:
            what = f"the application did not answer in {_SECONDS} s"
            raise CannotRun(what, request, "see its log") from None
        if not asked.starts:
            did = f"raised {type(asked.raised).__name__}" if asked.raised else "started no response"
            raise CannotRun(f"the application {did}", request, "see its log")
        return Answer.of(request, *asked.starts[0], asked.body)

    def close(self, used: Collection[Sessions] = ()) -> None:
        """See `Caller.close`. Connections for asyncio are of this event loop."""
        try:
            self._thread.run(self._end(used), _SECONDS)
        finally:
            self._thread.close()

    async def _start(self) -> None:
        """Start the application by the lifespan protocol, if it speaks that."""
        said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0"}}
        scope["state"] = self._state
        await self._down.put({"type": "lifespan.startup"})
        self._life = asyncio.ensure_future(_called(self._app, scope, self._down.get, said.put))
        first = asyncio.ensure_future(said.get())
        await asyncio.wait((self._life, first), return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()  # it raised: it does not speak the protocol
            return
        if first.result()["type"] == "lifespan.startup.failed":
            message = str(first.result().get("message", ""))  # a traceback, of other middleware
            why = f": {message}" if message.startswith("coatcheck: ") else ""
            raise CannotRun(f"refuses to start{why}", "application", "see its log")

    async def _end(self, used: Collection[Sessions]) -> None:
        if self._life is not None and not self._life.done():
            await self._down.put({"type": "lifespan.shutdown"})
            await asyncio.wait((self._life,), timeout=_SECONDS / 2)
        for sessions in used:
            if sessions.store.kind is Kind.ASYNCIO:
                with suppress(StoreUnavailable):
                    await sessions.close()


async def _called(app: Asgi, *arguments: Any) -> None:
    try:
        await app(*arguments)
    except Exception:
        return  # as `_start` notices
