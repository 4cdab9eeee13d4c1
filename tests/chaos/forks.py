"""What processes do with one SQLite file; each function runs in a process of its own."""

import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from coatcheck import SQLiteStore
from coatcheck.core.record import Record
from coatcheck.stores.protocol import Conflict
from coatcheck.testing import make_record, make_tombstone, next_version
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


def change(path: str) -> None:
    """Count up in a session, or end it, as each line that comes in says; tell the count."""
    store = SQLiteStore(path)
    for line in sys.stdin:
        what, id = line.split()
        if what == "end":
            finish(store.end(make_tombstone(id)))
            print("ended", flush=True)
        else:
            print(add(store, id), flush=True)


def write(path: str) -> None:
    """Count up in sessions, open sessions and end them, and tell what was acknowledged.

    A hundred times for each line that comes in; the first one names the sessions.
    """
    store, ids = SQLiteStore(path), sys.stdin.readline().split()
    for _ in sys.stdin:
        for number in range(100):
            id = ids[number % len(ids)]
            add(store, id)
            print("added", id, flush=True)
            record = make_record()
            finish(store.save(record, None))
            print("made", record.id, flush=True)
            if number % 2:
                finish(store.end(make_tombstone(record.id)))
                print("ended", record.id, flush=True)


def add(store: SQLiteStore, id: str) -> int:
    """Count up in a session, however often somebody else is quicker."""
    for _ in range(1_000):
        base = finish(store.load(id))
        assert isinstance(base, Record)
        count = int(base.payload) + 1
        with suppress(Conflict):
            finish(store.save(next_version(base, payload=b"%d" % count), base))
            return count
    raise TimeoutError(f"every save of {id} was refused")


def hold(path: str) -> None:
    """Stop in the middle of a transaction that has deleted every session, most of it on disk."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA cache_size = 1")
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM coatcheck_sessions")
    print("deleted", flush=True)
    sys.stdin.read()


PARTS: dict[str, Callable[[str], None]] = {
    part.__name__: part for part in (start, fork, leave, close, change, write, hold)
}

if __name__ == "__main__":
    PARTS[sys.argv[1]](sys.argv[2])
