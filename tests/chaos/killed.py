"""Processes that write to one SQLite file, one of which is killed, and what must be there then."""

import sqlite3
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random

from coatcheck import SQLiteStore
from coatcheck.core.record import Record
from coatcheck.testing import make_record
from coatcheck.waiting import finish
from tests.chaos.parts import rest_of, running, said, tell

SHARED = 3
"""How many sessions all of them change."""
BATCHES = 3
"""How many hundreds of changes the others make."""


def kill_writers(path: Path, rounds: int, others: int, luck: Random) -> None:
    """Kill a writer in each round, and check what all of them were told.

    Nothing that was acknowledged may be missing, nothing that ended alive; of what nobody was told
    there may be one change of each that was killed.
    """
    store, shared = SQLiteStore(path), [make_record(payload=b"0") for _ in range(SHARED)]
    for record in shared:
        finish(store.save(record, None))
    added, made, ended = Counter[str](), set[str](), set[str]()
    for round in range(1, rounds + 1):
        for line in _kill_one(path, [record.id for record in shared], others, luck):
            what, id = line.split()
            if what == "added":
                added[id] += 1
            else:
                (made if what == "made" else ended).add(id)
        finish(store.save(make_record(), None))  # nobody holds the lock any more
        assert check(path) == "ok"
        surplus = {record.id: count(store, record.id) - added[record.id] for record in shared}
        assert all(extra >= 0 for extra in surplus.values()), surplus
        assert sum(surplus.values()) <= round
        assert not any(isinstance(finish(store.load(id)), Record) for id in ended)
        missing = [id for id in made - ended if finish(store.load(id)) is None]
        assert not missing
    finish(store.close())


def _kill_one(path: Path, ids: list[str], others: int, luck: Random) -> list[str]:
    """Return what all were told: each line that one of them said to its end."""
    with ExitStack() as stack:
        victim, *survivors = writers = [
            stack.enter_context(running("write", path)) for _ in range(1 + others)
        ]
        for writer in writers:
            tell(writer, " ".join(ids))
        for _ in range(BATCHES):
            for writer in writers:
                tell(writer)
        lines = [said(writer) for _ in range(luck.randrange(1, 200)) for writer in writers]
        victim.kill()
        for writer in writers:
            lines += rest_of(writer)
        assert [writer.returncode for writer in survivors] == [0] * others
    return lines


def check(path: Path) -> str:
    """Return what SQLite says of the file: `ok`."""
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])


def count(store: SQLiteStore, id: str) -> int:
    """Return how often a session was counted up."""
    record = finish(store.load(id))
    assert isinstance(record, Record)
    return int(record.payload)
