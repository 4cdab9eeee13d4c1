"""Stops the processes of a server where they are, as a machine does that is out of memory."""

import contextlib
import os
import signal
from collections.abc import Generator
from pathlib import Path

from tests.servers import Server


@contextlib.contextmanager
def frozen(server: Server) -> Generator[None]:
    """Let nothing of a server run; its kernel still takes connections."""
    stopped = processes(server.pid)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def processes(pid: int) -> list[int]:
    """Return a process, and all that it started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in processes(int(child)))]


def kill(server: Server) -> None:
    """End all of a server at once, as a loss of power does."""
    with frozen(server):
        started = processes(server.pid)[1:]
        server.kill()
        for pid in started:
            os.kill(pid, signal.SIGKILL)
