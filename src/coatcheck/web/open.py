"""What a response has open in an event loop, a WebSocket or a stream: closed with its session."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from coatcheck.core.fate import Fate
from coatcheck.lookout import Watched
from coatcheck.web.exchange import Exchange

_log = logging.getLogger("coatcheck")


class Open:
    """One of them.

    Args:
        close: closes it for the client, without waiting for the application.
        wake: is called when it is over, before that.

    Attributes:
        fate: why it is over, `None` while it goes on.
    """

    def __init__(
        self,
        exchange: Exchange,
        close: Callable[[Fate], Awaitable[object]],
        wake: Callable[[], object] = lambda: None,
    ) -> None:
        self.fate: Fate | None = None
        self._exchange, self._close, self._wake = exchange, close, wake
        self._watched: Watched | None = None
        self._closing: asyncio.Task[None] | None = None
        self._is_left = False

    def watch(self) -> None:
        """Have it looked after, from when on there is a session that somebody looked at."""
        if self._watched is None and not self._is_left:
            self._watched = self._exchange.watch(self._end)

    async def is_over(self) -> bool:
        """Tell whether the session is over; ask the store if nobody can tell without."""
        self.watch()
        if self._watched is not None and self._watched.is_due and not self._is_left:
            await self._watched.look()
        return self.fate is not None

    def leave(self) -> None:
        """Note that it is closed."""
        self._is_left = True
        if self._watched is not None:
            self._watched.leave()

    async def closed(self) -> None:
        """Wait until the client was told, if its session is over."""
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def _end(self, fate: Fate) -> None:
        self.fate = fate
        self._closing = asyncio.get_running_loop().create_task(self._tell(fate))
        self._wake()

    async def _tell(self, fate: Fate) -> None:
        try:
            await self._close(fate)
        except Exception:
            _log.debug("the client was gone before its session", exc_info=True)
