"""Look at an SQLite file, without changing it."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Rights(NamedTuple):
    """Who may do what with the file.

    Attributes:
        mode: permission bits of the file, `folder_mode` those of its folder.
        is_ours: whether the file belongs to whom doctor runs as.
    """

    mode: int
    folder_mode: int
    is_ours: bool


@dataclass(frozen=True, slots=True)
class SQLiteFacts:
    """How the file is kept.

    Attributes:
        path: as it was given.
        journal: SQLite's `journal_mode`; `None` where the file is no database of sessions.
        synchronous: that the store will set.
        rights: `None` where the system has others, as Windows does.
    """

    path: str
    journal: str | None
    synchronous: str
    rights: Rights | None


def look(path: str, synchronous: str) -> SQLiteFacts:
    """Look at a file.

    Raises:
        OSError: there is none.
    """
    file = Path(path).absolute()
    state, folder = file.stat(), file.parent.stat()
    rights = None
    if hasattr(os, "geteuid"):
        is_ours = state.st_uid == os.geteuid()
        rights = Rights(state.st_mode & 0o777, folder.st_mode & 0o1777, is_ours)
    return SQLiteFacts(path, _journal(file), synchronous.upper(), rights)


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
