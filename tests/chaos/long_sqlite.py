"""The long versions of `test_sqlite_killed` and `test_sqlite_disk`: `make chaos`."""

from pathlib import Path
from random import Random

from coatcheck import SQLiteStore
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.testing import make_record, make_tombstone
from tests.chaos.disk import mounted
from tests.chaos.killed import check, kill_writers


def test_processes_that_are_killed_take_nothing_along(tmp_path: Path) -> None:
    kill_writers(tmp_path / "s.db", rounds=100, others=2, luck=Random(2))


async def test_a_disk_that_is_full_again_and_again_keeps_what_it_took(tmp_path: Path) -> None:
    """Filled by values of any length, so that it is full at any place of a change."""
    luck, saved = Random(3), list[Record]()
    with mounted(tmp_path / "disk", "1m") as disk:
        path = disk.path / "s.db"
        store = SQLiteStore(path)
        for size in range(1_100, 6_100, 100):
            refused = 0
            while refused < 20:
                record = make_record(payload=bytes(luck.randrange(20_000)))
                ending = luck.choice(saved) if saved and luck.random() < 0.2 else None
                try:
                    if ending:
                        await store.end(make_tombstone(ending.id))
                        saved.remove(ending)
                    await store.save(record, None)
                    saved.append(record)
                except StoreUnavailable:
                    refused += 1
            assert [await store.load(record.id) for record in saved] == saved
            assert await store.count(None) == len(saved)
            assert check(path) == "ok"
            disk.set(f"size={size}k")
        await store.close()
