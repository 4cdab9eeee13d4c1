"""Call an ASGI application in this process, over HTTPS as far as it can tell."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from coatcheck.doctor.answer import MAX_BODY, Answer
from coatcheck.doctor.failure import CannotRun

Asgi = Callable[..., Awaitable[None]]
_SECONDS = 30
T = TypeVar("T")


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
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._down: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._life: asyncio.Task[None] | None = None
        try:
            self._run(self._start())
        except BaseException as error:
            self._stop()
            if isinstance(error, TimeoutError):
                what = f"did not start in {_SECONDS} s"
                raise CannotRun(what, "application", "see its log") from None
            raise

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """See `Caller.send`."""
        try:
            return self._run(self._send(method, path, headers, body))
        except CannotRun:
            raise
        except TimeoutError:
            what = f"did not answer in {_SECONDS} s"
        except Exception as error:
            what = f"raised {type(error).__name__}"
        request = f"{method} {path.partition('?')[0]}"
        raise CannotRun(f"the application {what}", request, "see its log")

    def close(self) -> None:
        """See `Caller.close`."""
        try:
            self._run(self._end())
        finally:
            self._stop()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

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

    async def _end(self) -> None:
        if self._life is not None and not self._life.done():
            await self._down.put({"type": "lifespan.shutdown"})
            await asyncio.wait((self._life,), timeout=_SECONDS / 2)

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        path, _, query = path.partition("?")
        raw = [(b"host", self._host.encode()), (b"content-length", str(len(body)).encode())]
        raw += [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": raw,
            "client": ("127.0.0.1", 50_000),
            "server": (self._host, 443),
            "state": dict(self._state),
        }
        incoming = [{"type": "http.request", "body": body, "more_body": False}]
        answered = asyncio.Event()
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if incoming:
                return incoming.pop()
            await answered.wait()  # the client does not hang up before
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        try:
            await self._app(scope, receive, send)
        except Exception:
            if not sent:  # most frameworks answer 500 and raise as well
                raise
        said = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in sent[0].get("headers", ())
        ]
        content = b"".join(message.get("body", b"") for message in sent[1:])[:MAX_BODY]
        return Answer(f"{method} {path}", sent[0]["status"], said, content)


async def _called(app: Asgi, *arguments: Any) -> None:
    try:
        await app(*arguments)
    except Exception:
        return  # as `_start` notices
