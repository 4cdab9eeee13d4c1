"""Servers of the benchmarks: started on free ports, pinned, stopped by process id."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent
CORES = sorted(os.sched_getaffinity(0))
IS_PINNED = len(CORES) > 1
"""Whether the measured process has the first core for itself, and all others the rest."""


def pin_others() -> None:
    """Keep this process, and what it starts from now on, off the first core."""
    if IS_PINNED:
        os.sched_setaffinity(0, CORES[1:])


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Process:
    """A server that runs; what it says on stderr is shown if it ends by itself."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        environment: Mapping[str, str],
        folder: str | Path,
        *,
        first: bool,
    ) -> None:
        self.port = port
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=self._said,
        )
        self.pid = self._process.pid
        if IS_PINNED:
            os.sched_setaffinity(self.pid, CORES[:1] if first else CORES[1:])

    def wait_until_it_listens(self, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._said.seek(0)
                sys.stderr.buffer.write(self._said.read())
                raise RuntimeError(f"{self._process.args!r} ended")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"{self._process.args!r} does not listen on {self.port}")

    def cpu(self) -> int:
        """Return the nanoseconds of processor time it has used, in all its threads and workers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        # The clock that clock_getcpuclockid(3) returns: the inverted id, and 2 for "scheduled".
        return sum(time.clock_gettime_ns(~pid << 3 | 2) for pid in (self.pid, *map(int, children)))

    def settle(self) -> None:
        """Wait until it has nothing left to do, such as requests whose client is gone."""
        before = -1_000_000_000
        while (now := self.cpu()) - before > 1_000_000:
            before = now
            time.sleep(0.03)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()


@contextlib.contextmanager
def running(
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str] | None = None,
    folder: str | Path = ROOT,
    *,
    first: bool = False,
) -> Generator[Process]:
    """Run a server until the block is left.

    Args:
        folder: where it is at work, and writes; the applications' modules are in ROOT.
        first: let it have the first core.
    """
    process = Process(command, port, environment or {}, folder, first=first)
    try:
        process.wait_until_it_listens()
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def uvicorn(app: str, store: str, *, first: bool = False) -> Generator[Process]:
    """Serve `bench.apps.NAME` with one worker.

    All requests come with `X-Forwarded-Proto: https`, which uvicorn believes from loopback unless
    told otherwise: so every application runs as in production, cookies `Secure` and all, without
    the cost of TLS, and each pays the same for it.
    """
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"bench.apps.{app}:app", "--port", str(port)]
    command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    command += ["--log-level", "warning"]
    with running(command, port, {"BENCH_STORE": store}, first=first) as process:
        yield process


@contextlib.contextmanager
def gunicorn(app: str, store: str, *, threads: int = 16, first: bool = False) -> Generator[Process]:
    """Serve `bench.apps.NAME`, which speaks WSGI, with one worker.

    gunicorn believes `X-Forwarded-Proto` from loopback, too.
    """
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", f"bench.apps.{app}:app"]
    command += ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    command += ["--threads", str(threads)]
    command += ["--keep-alive", "30", "--graceful-timeout", "1", "--log-level", "warning"]
    with running(command, port, {"BENCH_STORE": store}, first=first) as process:
        yield process


@contextlib.contextmanager
def granian(app: str, store: str, *, first: bool = False) -> Generator[Process]:
    """Serve `bench.apps.NAME`, which speaks WSGI, with one worker of four threads.

    granian believes no proxy: what needs to know of TLS has to.
    """
    port = free_port()
    command = [sys.executable, "-m", "granian", f"bench.apps.{app}:app", "--interface", "wsgi"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--http", "1", "--no-ws"]
    command += ["--workers", "1", "--blocking-threads", "4", "--log-level", "warning"]
    with running(command, port, {"BENCH_STORE": store}, first=first) as process:
        yield process
