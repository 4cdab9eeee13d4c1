"""Stops the processes of a server where they are, as a machine does that is out of memory."""

import contextlib
import os
import signal
import time
from collections.abc import Generator
from pathlib import Path

from tests.servers import Server


@contextlib.contextmanager
def frozen(server: Server) -> Generator[list[int]]:
    """Let nothing of a server run; its kernel still takes connections. Return its processes."""
    stopped = [server.pid]
    try:
        for pid in stopped:  # who is stopped starts no other
            os.kill(pid, signal.SIGSTOP)
            stopped += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        while not all(map(_stands_still, stopped)):  # a thread may run on for a moment
            time.sleep(0.001)
        yield stopped
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill(server: Server) -> None:
    """End all of a server at once, as a loss of power does."""
    with frozen(server) as stopped:
        for pid in stopped:
            os.kill(pid, signal.SIGKILL)
        server.kill()
        while any(map(is_there, stopped)):
            time.sleep(0.005)


def _stands_still(pid: int) -> bool:
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(each.read_text().rpartition(")")[2].split()[0] in "TZ" for each in tasks)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
