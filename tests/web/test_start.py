"""A wrong setting of the middleware stops the server, which makes it only when it starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from coatcheck import MemoryStore, Sessions
from coatcheck.errors import ConfigurationError
from coatcheck.waiting import finish
from coatcheck.web.asgi import SessionMiddleware
from tests.web.client import Message, Receive, Send

APP = """
from fastapi import FastAPI
from coatcheck import MemoryStore, Sessions
from coatcheck.web.asgi import SessionMiddleware

app = FastAPI()
app.add_middleware(
    SessionMiddleware, sessions=Sessions(MemoryStore()), trusted_proxies=["10.0.0.300"]
)
"""


@pytest.mark.parametrize("lifespan", ["auto", "on"])
def test_uvicorn_does_not_start_with_a_wrong_setting(tmp_path: Path, lifespan: str) -> None:
    """Fails, by going on and answering 500 to everybody, when the constructor just raises."""
    (tmp_path / "wrong.py").write_text(APP)
    command = ["-m", "uvicorn", "wrong:app", "--port", "0", "--lifespan", lifespan]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    assert "trusted_proxies: '10.0.0.300'" in done.stderr
    assert "Application startup complete" not in done.stderr


def test_a_server_without_asyncio_does_not_start() -> None:
    """As hypercorn's workers of trio. Fails when the first stream or WebSocket does instead."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        said.append(message)

    async def app(_: Message, __: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    served = SessionMiddleware(app, sessions=Sessions(MemoryStore()))
    with pytest.raises(ConfigurationError, match="asyncio"):
        finish(served({"type": "lifespan"}, receive, send))
    assert [message["type"] for message in said] == ["lifespan.startup.failed"]
