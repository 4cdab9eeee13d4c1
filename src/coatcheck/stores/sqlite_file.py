"""Connections to one SQLite file: one a thread, none across a fork, none left behind."""

import os
import sqlite3
import threading
import time
import weakref
from random import random

from coatcheck.errors import ConfigurationError

PATIENCE = 5.0
"""Seconds that a new connection waits for others who are setting the file up."""


class _Handle:
    """A thread's connection, closed when the thread is gone.

    The thread's locals are all that holds it. A connection by itself would wait for the garbage
    collector, as it and its cache of statements hold each other.
    """

    def __init__(self, path: str, synchronous: str, schema: str) -> None:
        self._wait = PATIENCE
        self.connection = sqlite3.connect(
            path, PATIENCE, isolation_level=None, check_same_thread=False
        )
        self._use_wal()
        self.connection.execute(f"PRAGMA synchronous = {synchronous}")
        self.connection.executescript(schema)

    def _use_wal(self) -> None:
        """Switch the file to write-ahead logging; SQLite itself does not wait for others here."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01 * random())  # noqa: S311 - jitter, not a secret

    def wait_at_most(self, seconds: float) -> None:
        """Let SQLite itself wait for a lock so long, and no longer."""
        if seconds != self._wait:
            self._wait = seconds
            self.connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    def __del__(self) -> None:
        if hasattr(self, "connection"):
            self.connection.close()


class SQLiteFile:
    """A database file; it is created, readable by its owner only, when it is missing.

    SQLite keeps notes of a process's locks in its memory, which a fork copies, while the locks
    themselves stay with the parent. So nothing is left open here before it is used, and the thread
    that forks closes its connection first.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(self, path: str, synchronous: str, schema: str) -> None:
        self._path, self._synchronous, self._schema = path, synchronous, schema
        self._forget()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            _Handle(path, synchronous, schema)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError("path", f"cannot open {path!r}: {error}") from error
        this = weakref.ref(self)
        os.register_at_fork(
            before=lambda: file._close_own() if (file := this()) else None,
            after_in_child=lambda: file._forget() if (file := this()) else None,
        )

    def connect(self, wait: float) -> sqlite3.Connection:
        """Return this thread's connection, which waits at most `wait` seconds for a lock."""
        handle: _Handle | None = getattr(self._local, "handle", None)
        if handle is None:
            handle = self._local.handle = _Handle(self._path, self._synchronous, self._schema)
            self._handles.add(handle)
        handle.wait_at_most(wait)
        return handle.connection

    def close(self) -> None:
        """Close the connections of all threads."""
        for handle in list(self._handles):
            handle.connection.close()
        self._forget()

    def _close_own(self) -> None:
        if hasattr(self._local, "handle"):
            del self._local.handle

    def _forget(self) -> None:
        """Start without connections; those of other threads of a forked parent stay untouched."""
        self._kept = getattr(self, "_handles", None), getattr(self, "_local", None)
        self._local = threading.local()
        self._handles: weakref.WeakSet[_Handle] = weakref.WeakSet()
