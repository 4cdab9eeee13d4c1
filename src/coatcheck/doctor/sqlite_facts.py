"""Look at an SQLite file, without changing it."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SQLiteFacts:
    """How the file is kept.

    Attributes:
        path: as it was given.
        journal: SQLite's `journal_mode`; `None` where the file is no database of sessions.
        synchronous: that the store will set.
        mode: permission bits of the file, `folder_mode` those of its folder.
        is_ours: whether the file belongs to whom doctor runs as.
    """

    path: str
    journal: str | None
    synchronous: str
    mode: int
    folder_mode: int
    is_ours: bool


def look(path: str, synchronous: str) -> SQLiteFacts:
    """Look at a file.

    Raises:
        OSError: there is none.
    """
    file = Path(path).absolute()
    state = file.stat()
    return SQLiteFacts(
        path,
        _journal(file),
        synchronous.upper(),
        state.st_mode & 0o777,
        file.parent.stat().st_mode & 0o1777,
        state.st_uid == os.geteuid(),
    )


def _journal(file: Path) -> str | None:
    try:
        connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("SELECT 1 FROM coatcheck_sessions LIMIT 1")
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return None
