"""A Redis for the benchmarks, and what clients send to it."""

import contextlib
import shutil
import tempfile
import threading
import uuid
from collections.abc import Generator
from typing import Any

import redis

from bench.processes import free_port, running


@contextlib.contextmanager
def redis_server() -> Generator[str]:
    """Run a Redis with its default settings but nothing written to disk; give its URL."""
    if (program := shutil.which("redis-server")) is None:
        raise SystemExit("redis-server is missing: tools/programs.sh bench installs it")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--loglevel", "warning"]
    with tempfile.TemporaryDirectory() as folder, running(command, port, folder=folder):
        yield f"redis://127.0.0.1:{port}"


def connect(url: str) -> Any:
    """Return a client, untyped: redis-py's types serve both worlds and fit neither."""
    client: Any = redis.Redis
    return client.from_url(url)


class Watch:
    """Every command that reached a Redis: what clients sent, and what wrote.

    Attributes:
        sent: the names of the commands that clients sent.
        writes: how many commands changed something, those that scripts ran included.
    """

    def __init__(self, url: str) -> None:
        self._url, self._client = url, connect(url)
        writing = self._client.command_list(category="write")
        self._writing = {name.decode().upper() for name in writing}
        self._end = uuid.uuid4().hex
        self._is_watching = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.sent: list[str] = []
        self.writes = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        self._is_watching.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.echo(self._end)  # all that was sent before is seen before
        self._thread.join()
        self._client.close()

    def _watch(self) -> None:
        with connect(self._url).monitor() as monitor:
            self._is_watching.set()
            for command in monitor.listen():
                text = command["command"]
                if text.endswith(self._end):
                    return
                name = text.split(" ", 1)[0].upper()
                if command["client_type"] != "lua":
                    self.sent.append(name)
                self.writes += name in self._writing and not name.startswith("EVAL")
