"""Open on one server, ended on another: closed within the bound, by real servers (R-109, R-110)."""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from tests.frameworks.open_site import APP
from tests.servers import Server, free_port, sqlite_url, wait_for_port

PATIENCE = 90
UVICORN = ["-m", "uvicorn", "tests.frameworks.open_site:app", "--port={port}", "--ws={ws}"]
HYPERCORN = ["-m", "hypercorn", "tests.frameworks.open_site:app", "--bind=127.0.0.1:{port}"]


class Site:
    """Two servers of one application, and what they log."""

    def __init__(self, ports: list[int], log: Path) -> None:
        self.one, self.two = (f"127.0.0.1:{port}" for port in ports)
        self._log = log

    def log(self) -> str:
        return self._log.read_text()

    async def cookie(self) -> str:
        return cookie_in(await self.get(self.one, "/login", ""))

    async def get(self, host: str, path: str, cookie: str) -> str:
        """Return the body, or the cookie that came instead."""
        async with ClientSession() as browser:
            reply = await browser.get(f"http://{host}{path}", headers={"Cookie": cookie})
            assert reply.status == 200
            return reply.headers.get("Set-Cookie") or await reply.text()

    @asynccontextmanager
    async def socket(
        self, host: str, query: str = "", **headers: str
    ) -> AsyncGenerator[ClientWebSocketResponse]:
        async with ClientSession() as browser:
            url = f"http://{host}/chat{query}"
            async with browser.ws_connect(url, headers=headers) as socket:
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"
                yield socket


def cookie_in(line: str) -> str:
    return line.partition(";")[0]


@pytest.fixture(scope="module")
def folder() -> Generator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module", params=["sqlite", "redis", "wsproto", "sansio", "hypercorn"])
def site(request: pytest.FixtureRequest, redis: Server, folder: Path) -> Generator[Site]:
    """Two servers, of each kind in turn; the first two differ in the store."""
    command = HYPERCORN if request.param == "hypercorn" else UVICORN
    ws = {"wsproto": "wsproto", "sansio": "websockets-sansio"}.get(request.param, "websockets")
    store = f"redis://127.0.0.1:{redis.port}/0?prefix={uuid.uuid4().hex}"
    if request.param == "sqlite":
        store = sqlite_url(folder)
    log, ports = folder / f"{request.param}.log", [free_port(), free_port()]
    with ExitStack() as servers, log.open("w") as output:
        for port in ports:
            options = [part.format(port=port, ws=ws) for part in command]
            server = subprocess.Popen(
                [sys.executable, *options],
                cwd=folder,
                env={**os.environ, "STORE": store, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdout=output,
                stderr=output,
            )
            servers.callback(server.wait)
            servers.callback(server.terminate)
            wait_for_port(port, server)
        yield Site(ports, log)


@pytest.mark.parametrize("path", ["/logout", "/password"])
async def test_an_end_on_another_server_closes_the_socket(site: Site, path: str) -> None:
    cookie = await site.cookie()
    async with site.socket(site.one, Cookie=cookie) as socket:
        async with asyncio.timeout(PATIENCE):
            changed = cookie_in(await site.get(site.two, path, cookie))
            message = await socket.receive()
        assert (message.type, message.data, message.extra) == (
            WSMsgType.CLOSE, 1008, "session ended",
        )  # fmt: skip
    with pytest.raises(WSServerHandshakeError):
        async with site.socket(site.one, Cookie=cookie):
            pass
    if path == "/password":
        async with site.socket(site.one, Cookie=changed):
            pass


async def test_an_end_on_another_server_ends_the_stream(site: Site) -> None:
    cookie = await site.cookie()
    async with ClientSession(headers={"Cookie": cookie}) as browser, asyncio.timeout(PATIENCE):
        reply = await browser.get(f"http://{site.one}/events")
        assert await reply.content.readline() == b"tick\n"
        await site.get(site.two, "/logout", cookie)
        rest = await reply.read()  # fails when the response is broken off
    assert rest.replace(b"tick\n", b"") == b""


async def test_a_ticket_opens_one_of_fifty_on_both(site: Site) -> None:
    ticket = await site.get(site.one, "/ticket", await site.cookie())

    async def opens(host: str) -> bool:
        try:
            async with site.socket(host, f"?ticket={ticket}", Origin=APP):
                return True
        except WSServerHandshakeError:
            return False

    assert sum(await asyncio.gather(*map(opens, [site.one, site.two] * 25))) == 1
    assert ticket.partition(".")[2] not in site.log()


async def test_what_the_servers_log_holds_no_error(site: Site) -> None:
    """Last of the module: closing what is open is nobody's failure."""
    assert "Traceback" not in site.log()
