"""An aiohttp application on a free port, in an event loop of its own thread."""

import asyncio
import threading
from collections.abc import Callable

from aiohttp import web

from coatcheck.testing import HttpDriver

PROXY = "127.0.0.1"


def serving(make: Callable[[], web.Application]) -> HttpDriver:
    """Start a server; the driver stops it when it is closed."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, int]:
        runner = web.AppRunner(make(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, PROXY, 0).start()
        return runner, int(runner.addresses[0][1])

    def stop() -> None:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(90)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    runner, port = asyncio.run_coroutine_threadsafe(start(), loop).result(90)
    return HttpDriver(port, stop)
