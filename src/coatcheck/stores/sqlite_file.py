"""The connection to one SQLite file: one for all threads, none across a fork."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import random
from typing import Concatenate, ParamSpec, TypeVar

from coatcheck.errors import ConfigurationError
from coatcheck.forks import tell_of_forks

T = TypeVar("T")
P = ParamSpec("P")

PATIENCE = 5.0
"""Seconds that the first connection waits for others who are setting the file up."""

LOOK_EVERY = 1.0
"""Seconds after which it is looked whether the open files are still those of the path."""


class SQLiteFile:
    """A database file; it is created, readable by its owner only, when it is missing.

    Threads take turns with one connection: a statement takes microseconds, and Python runs one
    thread at a time anyway. SQLite keeps notes of a process's locks in its memory, which a fork
    copies while the locks themselves stay with the parent; a child must not even close what it
    inherits. So a fork waits for its turn, and closes the connection first.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(self, path: str, synchronous: str, schema: str) -> None:
        self._path = Path(path).resolve()
        self._synchronous, self._schema = synchronous, schema
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._wait = PATIENCE
        self._opened: list[tuple[int, int]] = []
        self._look_at = 0.0
        try:
            self._connect(PATIENCE).close()
        except (OSError, sqlite3.Error) as error:
            problem = f"cannot open {path!r}: {error}"
            if "no such column" in str(error):
                problem = f"{path!r} has tables of another layout: move it away for a new one"
            raise ConfigurationError("path", problem) from error
        on = SQLiteFile._go_on
        tell_of_forks(self, before=SQLiteFile._pause, in_parent=on, in_child=on)

    def run(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        wait: float,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do `work` with the connection, which waits at most `wait` seconds for a lock.

        So does one that has to be opened first: an event loop may be waiting for it.

        Raises:
            OSError, sqlite3.Error: it failed; or, noticed within a second, the file was deleted or
                replaced, and the next call opens what is there.
        """
        with self._turn:
            if self._connection is not None and time.monotonic() >= self._look_at:
                self._look()
            connection = self._connection or self._open(wait)
            if wait != self._wait:
                self._wait = wait
                connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
            return work(connection, *args, **kwargs)

    def close(self) -> None:
        """Close the connection; another is made when it is needed."""
        with self._turn:
            self._close()

    def _pause(self) -> None:
        """Wait for the turn, and keep it until the fork is over, with nothing open."""
        self._turn.acquire()
        self._close()

    def _go_on(self) -> None:
        """Let the others go on, in the parent as in the child."""
        self._turn.release()

    def _open(self, wait: float) -> sqlite3.Connection:
        connection = self._connect(wait)
        self._opened, self._look_at = self._files(), time.monotonic() + LOOK_EVERY
        self._connection, self._wait = connection, wait
        return connection

    def _look(self) -> None:
        """Close what somebody deleted or replaced: SQLite would go on where nobody else looks."""
        if self._files() != self._opened:
            self._close()
            raise OSError("the file was deleted or replaced while it was open")
        self._look_at = time.monotonic() + LOOK_EVERY

    def _files(self) -> list[tuple[int, int]]:
        """Return which files the path leads to; none where one is missing."""
        try:
            states = [Path(f"{self._path}{suffix}").stat() for suffix in ("", "-wal")]
        except FileNotFoundError:
            return []
        return [(state.st_dev, state.st_ino) for state in states]

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self, wait: float) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self._path, timeout=wait, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = _text
            _use_wal(connection, wait)
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.executescript(self._schema)
        except BaseException:
            connection.close()
            raise
        return connection

    def __del__(self) -> None:
        if hasattr(self, "_connection"):
            self._close()


def _text(raw: bytes) -> str | bytes:
    """Return a text, or what is none as it is, so that one bad row does not spoil a whole page."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _use_wal(connection: sqlite3.Connection, wait: float) -> None:
    """Switch the file to write-ahead logging; SQLite itself does not wait for others here."""
    deadline = time.monotonic() + wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01 * random())  # noqa: S311 - jitter, not a secret
