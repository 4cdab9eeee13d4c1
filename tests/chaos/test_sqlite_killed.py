"""`kill -9` of a process that uses the SQLite file, and what others see of its changes."""

from pathlib import Path
from random import Random

from coatcheck import SQLiteStore
from coatcheck.core.record import Record, Tombstone
from coatcheck.testing import make_record
from coatcheck.waiting import finish
from tests.chaos.killed import check, kill_writers
from tests.chaos.parts import running, said, tell


def test_a_process_that_is_killed_takes_nothing_along(tmp_path: Path) -> None:
    """Fails when a change is acknowledged before it is committed, or overwrites another's."""
    kill_writers(tmp_path / "s.db", rounds=3, others=1, luck=Random(1))


def test_a_process_that_is_killed_in_a_transaction_changes_nothing(tmp_path: Path) -> None:
    """Nor does it leave its lock behind. Fails when what is not committed can be seen."""
    path = tmp_path / "s.db"
    store, records = SQLiteStore(path), [make_record() for _ in range(200)]
    for record in records:
        finish(store.save(record, None))
    with running("hold", path) as process:
        assert said(process) == "deleted"
        process.kill()
        process.wait()
        finish(store.save(make_record(), None))
    assert [finish(store.load(record.id)) for record in records] == records
    assert check(path) == "ok"
    finish(store.close())


def test_nothing_that_was_read_outlives_a_change_of_another_process(tmp_path: Path) -> None:
    """Fails when a record is given out again without a look at the file."""
    path = tmp_path / "s.db"
    store, record = SQLiteStore(path), make_record(payload=b"0")
    finish(store.save(record, None))
    with running("change", path) as process:
        for count in range(1, 21):
            assert finish(store.load(record.id)) == finish(store.load(record.id))
            tell(process, f"add {record.id}")
            assert said(process) == str(count)
            stored = finish(store.load(record.id))
            assert isinstance(stored, Record)
            assert stored.payload == str(count).encode()
        tell(process, f"end {record.id}")
        assert said(process) == "ended"
        assert isinstance(finish(store.load(record.id)), Tombstone)
    finish(store.close())
