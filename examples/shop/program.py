"""Programs that are no Python, as databases are: at work in a folder of their own, on a leash.

As process.py does, a shell reads a pipe whose other end only this process holds. When that is
closed, by us or by our death, it ends its program, by the process id.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from examples.shop.fleet import START, FleetError

_LEASH: Final = """
exec 3<&0
"$@" </dev/null 3<&- & program=$!
{ cat >/dev/null; kill -s "$0" $program; } <&3 &
wait $program
"""


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
    end: str = "TERM",
) -> Generator["subprocess.Popen[bytes]"]:
    """Have a program listen on `port` until the block is left, out of reach of a Ctrl-C.

    Args:
        end: the signal that ends it.

    Raises:
        FleetError: it does not come to that; with the last that it said.
    """
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            ["sh", "-c", _LEASH, end, *command],
            user=user,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        if not _listens(process, port):
            raise FleetError(f"{command[0]} did not start: {last_words(folder)}")
        yield process
    finally:
        process.communicate()


def last_words(folder: Path) -> str:
    """Return the last line that the program of a folder said."""
    lines = (folder / "log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it did not say why"


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        time.sleep(0.02)
    return False
