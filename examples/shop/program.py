"""Programs that are no Python, as databases are: at work in a folder of their own, ended by id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from examples.shop.fleet import START, FleetError


def find(name: str, where: str | None = None) -> str:
    """Return the path of a program, in the folder `where` or wherever programs are.

    Raises:
        FleetError: it is not installed.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    if (found := shutil.which(name, path=where or path)) is None:
        raise FleetError(f"{name} is not installed")
    return found


def run(command: Sequence[str], folder: Path, user: str | None = None) -> None:
    """Run a program to its end.

    Raises:
        FleetError: it failed; with the last that it said.
    """
    with (folder / "log").open("ab") as log:
        done = subprocess.run(command, user=user, cwd=folder, stdout=log, stderr=log, check=False)
    if done.returncode:
        raise FleetError(f"{command[0]} failed: {last_words(folder)}")


@contextlib.contextmanager
def running(
    command: Sequence[str],
    port: int,
    folder: Path,
    *,
    user: str | None = None,
    end: int = signal.SIGTERM,
) -> Generator["subprocess.Popen[bytes]"]:
    """Have a program listen on `port` until the block is left, out of reach of a Ctrl-C.

    Raises:
        FleetError: it does not come to that; with the last that it said.
    """
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, user=user, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(process, port, folder)
        yield process
    finally:
        process.send_signal(end)
        process.wait()


def last_words(folder: Path) -> str:
    """Return the last line that the program of a folder said."""
    lines = (folder / "log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it did not say why"


def _wait(process: "subprocess.Popen[bytes]", port: int, folder: Path) -> None:
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise FleetError(f"{process.args!r} did not start: {last_words(folder)}")
