"""ASGI's lifespan protocol: what stops a server's start, and what is written before its end."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from coatcheck.errors import ConfigurationError
from coatcheck.waiting import running_loop

if TYPE_CHECKING:
    from coatcheck.web.asgi import App, Message, Receive, Scope, Send

T = TypeVar("T")


def made_or_error(make: Callable[[], T]) -> T | ConfigurationError:
    """Return what is made; where a server runs already, the error, for `stop_the_start`.

    Raises:
        ConfigurationError: it cannot be made, and no server runs yet, which could be told.
    """
    try:
        return make()
    except ConfigurationError as error:
        if running_loop() is None:
            raise
        return error


async def stop_the_start(
    error: ConfigurationError, scope: "Scope", receive: "Receive", send: "Send"
) -> NoReturn:
    """Say in the server's own protocol that the application cannot start.

    Raises:
        ConfigurationError: in any case.
    """
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": f"coatcheck: {error}"})
    raise error


async def live(
    app: "App",
    flush: Callable[[], Awaitable[None]],
    scope: "Scope",
    receive: "Receive",
    send: "Send",
) -> None:
    """Let an application live, and `flush` before the server is told that it shut down (T3).

    An application that does not speak the protocol receives nothing of it: it raises, or returns at
    once. Then it is spoken here.
    """
    if running_loop() is None:
        error = ConfigurationError("server", "does not run asyncio, which is needed: trio?")
        await stop_the_start(error, scope, receive, send)
    is_spoken = False

    async def note_and_receive() -> "Message":
        nonlocal is_spoken
        is_spoken = True
        return await receive()

    async def flush_and_send(message: "Message") -> None:
        nonlocal is_spoken
        is_spoken = True
        if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
            await flush()
        await send(message)

    try:
        await app(scope, note_and_receive, flush_and_send)
    except Exception:
        if is_spoken:
            raise
    if not is_spoken:
        for state in ("startup", "shutdown"):
            await receive()
            await flush_and_send({"type": f"lifespan.{state}.complete"})
