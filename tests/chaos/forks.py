"""What processes do with one SQLite file; each function runs in a process of its own."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from coatcheck import SQLiteStore
from coatcheck.testing import make_record
from coatcheck.waiting import finish


def save(store: SQLiteStore, times: int = 10) -> None:
    for _ in range(times):
        finish(store.save(make_record(), None))


def opened(path: str) -> int:
    """Return how often this process has a file open."""
    fds = Path("/proc/self/fd").iterdir()
    return sum(os.path.realpath(fd) == path for fd in fds)


def start(path: str) -> None:
    """Open the file at the same moment as others."""
    print("ready", flush=True)
    sys.stdin.readline()
    save(SQLiteStore(path))


def fork(path: str) -> None:
    """Save in a child, and tell how many connections that took."""
    store = SQLiteStore(path)
    save(store)
    if os.fork() == 0:
        before = opened(path)
        save(store)
        print(opened(path) - before, flush=True)
        os._exit(0)
    os.wait()
    save(store)


def leave(path: str) -> None:
    """Exit while a child goes on, as a daemon does."""
    store = SQLiteStore(path)
    if os.fork() == 0:
        serve(store)


def close(path: str) -> None:
    """Close the store while a child goes on with it."""
    store = SQLiteStore(path)
    if os.fork() == 0:
        serve(store)
    finish(store.close())
    print("closed", flush=True)
    os.wait()


def serve(store: SQLiteStore) -> None:
    """Save ten times for each line that comes in."""
    for _ in sys.stdin:
        save(store)
        print("saved", flush=True)
    os._exit(0)


PARTS: dict[str, Callable[[str], None]] = {
    part.__name__: part for part in (start, fork, leave, close)
}

if __name__ == "__main__":
    PARTS[sys.argv[1]](sys.argv[2])
