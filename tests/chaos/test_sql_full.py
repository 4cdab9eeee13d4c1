"""The disk of an SQL database is full, and gets room again."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from coatcheck.core.record import Record, Tombstone
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import make_record, make_tombstone, next_version
from tests.chaos.sql_writer import connect
from tests.servers import (
    Server,
    mariadb_server,
    mariadb_url,
    postgres_server,
    postgres_url,
    with_tables,
)
from tests.threads import ask

MB = 1 << 20


@pytest.fixture(scope="module")
def disk() -> Generator[Path]:
    """A file system of a few megabytes, in which the servers have their folders."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=1777", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(
            f"a full disk needs a small file system, which only root may mount: {done.stderr}"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture(scope="module")
def on_disk(disk: Path) -> Generator[str]:
    """The URL of a PostgreSQL there."""
    with postgres_server(disk=disk) as server:
        yield with_tables(postgres_url(server))


@pytest.fixture
def filler(disk: Path) -> Generator[Path]:
    """What fills the disk up; without it there is room."""
    path = disk / "filler"
    yield path
    path.unlink(missing_ok=True)


def fill(path: Path) -> None:
    """Leave a megabyte."""
    found = os.statvfs(path.parent)
    with path.open("wb") as file:
        for _ in range(found.f_bavail * found.f_frsize // MB - 1):
            file.write(bytes(MB))


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_full_disk_refuses_and_spoils_nothing(
    on_disk: str, driver: str, filler: Path
) -> None:
    """Fails when a write that had no room is acknowledged, or a restart is needed afterwards."""
    store = connect(on_disk, driver, 4)
    old = make_record(subject=driver)
    await ask(store, store.save(old, None))
    await asyncio.to_thread(fill, filler)
    stored = await saved_until_full(store, driver)
    await asyncio.to_thread(filler.unlink)
    await check(store, old, stored)
    await ask(store, store.close())


LITTLE, MORE = (f"--innodb-data-file-path=ibdata1:12M:autoextend:max:{n}M" for n in (20, 60))


@pytest.fixture
def narrow() -> Generator[Server]:
    """A MariaDB whose tables have little room: of a disk that is full it dies itself."""
    with mariadb_server("--innodb-file-per-table=0", LITTLE) as server:
        yield server


def widen(server: Server) -> None:
    server.stop()
    server.command[-1] = MORE
    server.start()


async def test_a_full_table_refuses_and_spoils_nothing(narrow: Server) -> None:
    """Fails when a write that had no room is acknowledged, or is half there."""
    url = await asyncio.to_thread(with_tables, mariadb_url(narrow))
    stores = [connect(url, driver, 4) for driver in ("asyncmy", "pymysql")]
    old = [make_record(subject=f"{n}") for n in range(2)]
    for store, record in zip(stores, old, strict=True):
        await ask(store, store.save(record, None))
    stored = [await saved_until_full(store, f"{n}") for n, store in enumerate(stores)]
    await asyncio.to_thread(widen, narrow)
    for store, one, others in zip(stores, old, stored, strict=True):
        await check(store, one, others)
        await ask(store, store.close())


async def check(store: SQLStore, old: Record, stored: list[Record]) -> None:
    """All that was acknowledged is there, nothing is half written, and all works again."""
    page = await ask(store, store.page(old.subject, None, 1_000))
    assert not page.unreadable
    assert {record.id for record in page.records} >= {record.id for record in [old, *stored]}
    for record in stored:
        assert await ask(store, store.end(make_tombstone(record.id))) == record
        assert isinstance(await ask(store, store.load(record.id)), Tombstone)
    newer = next_version(old, payload=bytes(100_000))
    await ask(store, store.save(newer, old))
    assert await ask(store, store.load(old.id)) == newer


async def saved_until_full(store: SQLStore, subject: str) -> list[Record]:
    """Save large records until there is no room for them; return those that were acknowledged."""
    saved: list[Record] = []
    refused = 0
    while refused < 3:
        record = make_record(subject=subject, payload=os.urandom(100_000))
        try:
            await ask(store, store.save(record, None))
        except StoreUnavailable:
            refused += 1
        else:
            saved.append(record)
        assert len(saved) < 1_000
    for record in saved:
        assert await ask(store, store.load(record.id)) == record
    return saved
