"""Interrupted anywhere, it is gone on with; and it never holds more than a page in memory."""

import asyncio
import fcntl
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import coatcheck
from coatcheck import Keyring, MemoryStore, Store, store_from_url
from coatcheck.backup import Exported, Imported, export_sessions, exporting, import_sessions
from coatcheck.backup.part import Part
from coatcheck.clock import system
from coatcheck.core.record import Record
from coatcheck.errors import BackupRefused, StoreUnavailable
from coatcheck.stores.protocol import Page
from coatcheck.testing.stores import make_record, make_tombstone
from coatcheck.waiting import finish
from tests.backup.filled import all_of, files, of_alice, order, put
from tests.chaos.spy import spied

MANY = 5_000


class Killed(BaseException):
    """What nobody catches, as a kill of the process is caught by nobody."""


class Killing:
    """Is called before each call of a store, and kills before the one after `last`."""

    def __init__(self, last: int) -> None:
        self.left = last

    def __call__(self, name: str) -> None:
        if name != "close":
            self.left -= 1
            if self.left < 0:
                raise Killed(name)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "PAGE", 3)


async def test_an_export_is_gone_on_with_wherever_it_was_killed(
    store_url: str, store: Store, path: Path, keyring: Keyring, small_pages: None
) -> None:
    """Each time a little further. Fails when a session is missed, or is there twice (not Redis)."""
    records = [*of_alice(4), *(make_record() for _ in range(8))]
    await put(store, records)
    for last in range(1, 100):
        try:
            exported = await export_sessions(
                spied(store, Killing(last)), path, keyring, resume=True
            )
            break
        except Killed:
            assert path.name not in files(path.parent)
    else:
        raise AssertionError("it never ended")
    assert last > 2
    assert exported == Exported(sessions=len(records))
    target = MemoryStore()
    assert await import_sessions(target, path, keyring) == Imported(imported=len(records))
    assert await all_of(target) == {record.id: record for record in records}
    assert files(path.parent) == {path.name: 0o600}


@pytest.mark.parametrize("torn", [b"", b"P", b"P\0\0\1\0half of a page"])
def test_it_goes_on_behind_the_last_whole_page(
    torn: bytes, path: Path, keyring: Keyring, small_pages: None
) -> None:
    """Fails when what is there is listed again, or what a crash left stays in between."""
    store = MemoryStore()
    records = [make_record() for _ in range(20)]
    finish(put(store, records))
    with pytest.raises(Killed):
        finish(export_sessions(spied(store, Killing(9)), path, keyring))
    part = path.with_name(path.name + ".part")
    before = part.read_bytes()
    part.write_bytes(before + torn)
    part.chmod(0o644)
    asked: list[str] = []
    exported = finish(export_sessions(spied(store, asked.append), path, keyring, resume=True))
    assert exported == Exported(sessions=20)
    assert asked.count("page") == 3
    assert path.read_bytes().startswith(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert finish(import_sessions(MemoryStore(), path, keyring)) == Imported(imported=20)


async def test_what_could_not_be_read_before_is_told_after(path: Path, keyring: Keyring) -> None:
    """Fails when an export that was gone on with says that all is in it."""

    class Damaged(MemoryStore):
        is_up = True

        async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
            if after and not self.is_up:
                raise StoreUnavailable("down")
            page = await super().page(subject, after, 2)
            return page if after else page._replace(unreadable=["someone's"])

    store = Damaged()
    await put(store, [make_record() for _ in range(4)])
    store.is_up = False
    with pytest.raises(StoreUnavailable):
        await export_sessions(store, path, keyring)
    store.is_up = True
    exported = await export_sessions(store, path, keyring, resume=True)
    assert exported == Exported(4, unreadable=1, unreadable_ids=("someone's",))


@pytest.mark.parametrize("after", ["7", "1:35", "x" * 22])
async def test_a_position_that_may_mean_nothing_later_is_not_gone_on_from(
    after: str, path: Path, keyring: Keyring
) -> None:
    """A cursor of a Redis that was restarted skips sessions. Fails when it is used."""

    class Cursors(MemoryStore):
        is_up = False

        async def page(self, subject: str | None, start: str | None, limit: int, /) -> Page:
            if start and not self.is_up:
                raise StoreUnavailable("restarted")
            if start:
                return Page([], None)  # the others are elsewhere now
            records = list((await super().page(None, None, 10)).records)
            return Page(records if self.is_up else records[:1], None if self.is_up else after)

    store = Cursors()
    await put(store, [make_record() for _ in range(4)])
    with pytest.raises(StoreUnavailable):
        await export_sessions(store, path, keyring)
    store.is_up = True
    assert await export_sessions(store, path, keyring, resume=True) == Exported(sessions=4)
    assert await import_sessions(MemoryStore(), path, keyring) == Imported(imported=4)


def begun(path: Path, keyring: Keyring) -> Path:
    """An export that was interrupted in its third page."""
    store = MemoryStore()
    finish(put(store, [make_record() for _ in range(9)]))
    with pytest.raises(Killed):
        finish(export_sessions(spied(store, Killing(5)), path, keyring))
    return path.with_name(path.name + ".part")


def test_what_is_in_the_way_is_left_alone(
    path: Path, keyring: Keyring, small_pages: None, tmp_path: Path
) -> None:
    """Fails when an export, whole or not, is overwritten, or a link is followed."""
    part = begun(path, keyring)
    before = part.read_bytes()
    with pytest.raises(BackupRefused, match="go on with it"):
        finish(export_sessions(MemoryStore(), path, keyring))
    assert part.read_bytes() == before
    with part.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BackupRefused, match="being written by another export"):
            finish(export_sessions(MemoryStore(), path, keyring, resume=True))
    assert part.read_bytes() == before

    path.write_bytes(b"whole")
    for resume in (False, True):
        with pytest.raises(BackupRefused, match="is there already: choose another name"):
            finish(export_sessions(MemoryStore(), path, keyring, resume=resume))
    assert path.read_bytes() == b"whole"

    path.unlink()
    part.unlink()
    victim = tmp_path / "victim"
    victim.write_bytes(before)
    part.symlink_to(victim)
    for resume in (False, True):
        with pytest.raises((BackupRefused, OSError)):
            finish(export_sessions(MemoryStore(), path, keyring, resume=resume))
    assert victim.read_bytes() == before


def test_what_was_changed_or_is_of_another_key_is_not_gone_on_with(
    path: Path, keyring: Keyring, small_pages: None
) -> None:
    """Fails when what is there is not checked first."""
    part = begun(path, keyring)
    good = part.read_bytes()
    with pytest.raises(BackupRefused, match="sealed by key"):
        finish(export_sessions(MemoryStore(), path, Keyring(Keyring.new_key()), resume=True))
    changed = bytearray(good)
    changed[-1] ^= 1
    part.write_bytes(changed)
    with pytest.raises(BackupRefused, match="damaged or forged"):
        finish(export_sessions(MemoryStore(), path, keyring, resume=True))
    assert part.read_bytes() == changed


async def test_a_store_that_is_away_leaves_no_file(path: Path, keyring: Keyring) -> None:
    store = store_from_url("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable):
        await export_sessions(store, path, keyring)
    assert files(path.parent) == {}
    await store.close()


async def test_a_file_that_was_whole_but_had_no_name_gets_it(
    path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: Part) -> None:
        raise Killed

    store = MemoryStore()
    await put(store, of_alice(2))
    with monkeypatch.context() as patch:
        patch.setattr(Part, "finish", killed)
        with pytest.raises(Killed):
            await export_sessions(store, path, keyring)
    assert await export_sessions(store, path, keyring, resume=True) == Exported(sessions=2)
    assert await import_sessions(MemoryStore(), path, keyring) == Imported(imported=2)


async def test_an_import_is_done_again_wherever_it_was_killed(
    target_url: str, keyring: Keyring, small_pages: None
) -> None:
    """Fails when a session is lost, in no index, or out of order, or one that ended comes back."""
    source = MemoryStore()
    records, barred = of_alice(5), make_record(subject="bob", created_at=system() - 9_000)
    everybody = [*records[2:], *records[:2], make_record(), barred]
    await put(source, everybody)
    file = io.BytesIO()
    await export_sessions(source, file, keyring)

    target, last, kills, done = store_from_url(target_url), 0, 0, Imported()
    await put(target, [records[1]])
    await target.bar("bob", system())
    while not done.there:
        last += 1
        file.seek(0)
        try:
            done = await import_sessions(spied(target, Killing(last)), file, keyring)
        except Killed:
            kills += 1
    assert kills > 10
    assert (done.imported + done.there, done.ended) == (6, 1)
    assert set(await all_of(target)) == {each.id for each in everybody if each is not barred}
    assert set(await all_of(target, "alice")) == {each.id for each in records}
    assert await order(target, "alice") == [each.id for each in records]
    assert await order(target, "bob") == []
    await target.close()


@pytest.mark.parametrize("is_ended", [False, True])
async def test_killed_before_the_entry(is_ended: bool, target: Store, keyring: Keyring) -> None:
    """The record is there and in no index. Fails when that stays, or an end of all passes it by."""
    source, file = MemoryStore(), io.BytesIO()
    (record,) = of_alice(1)
    await put(source, [record])
    await export_sessions(source, file, keyring)
    file.seek(0)
    await target.save(record, None)
    if is_ended:
        for id in (await target.bar("alice", system())).ids:  # SQLite's index has it
            await target.end(make_tombstone(id))
    done = await import_sessions(target, file, keyring)
    assert done == (Imported(ended=1) if is_ended else Imported(there=1))
    assert await order(target, "alice") == ([] if is_ended else [record.id])


class Streaming(MemoryStore):
    """Makes sessions as they are asked for; knows how many were asked for and are in no file."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__()
        self.file, self.given, self.most = file, 0, 0
        self.written = 0

    async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
        self.most = max(self.most, limit)
        grew, self.written = len(self.file.getvalue()) - self.written, len(self.file.getvalue())
        assert self.given == 0 or grew > 100 * limit, "a page is not in the file yet"
        number = min(limit, MANY - self.given)
        self.given += number
        records = [make_record(payload=b"x" * 100) for _ in range(number)]
        return Page(records, records[-1].id if self.given < MANY else None)


class Stored(MemoryStore):
    """Knows how much of the file was read when there were how many sessions."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__()
        self.file, self.saved = file, 0
        self.ahead: list[int] = []

    async def save(self, record: Record, base: Record | None, /) -> None:
        await super().save(record, base)
        self.saved += 1
        self.ahead.append(self.file.tell() - self.saved * len(self.file.getvalue()) // MANY)


async def test_thousands_stream_through(keyring: Keyring) -> None:
    """Fails when more than a page is waited for, or read ahead."""
    file = io.BytesIO()
    source = Streaming(file)
    assert (await export_sessions(source, file, keyring)).sessions == MANY
    assert source.most == exporting.PAGE
    file.seek(0)
    target = Stored(file)
    assert await import_sessions(target, file, keyring) == Imported(imported=MANY)
    page = len(file.getvalue()) * exporting.PAGE // MANY
    assert max(target.ahead) < 1.1 * page


KILLED = """
import asyncio, os, signal, sys
from coatcheck import Keyring, store_from_url
from coatcheck.backup import export_sessions, import_sessions

class Dying:
    def __init__(self, store, method, calls):
        self.store, self.method, self.calls = store, method, calls
    def __getattr__(self, name):
        if name == self.method:
            self.calls -= 1
            if self.calls < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return getattr(self.store, name)

what, url, path, method, calls = sys.argv[1:]
work = {"export": export_sessions, "import": import_sessions}[what]
store = Dying(store_from_url(url), method, int(calls))
asyncio.run(work(store, path, Keyring.from_env("KEYS")))
"""


def killed(what: str, url: str, path: Path, key: str, method: str, calls: int) -> int:
    """Let a process do it that kills itself; return how it ended."""
    source = str(Path(coatcheck.__file__).parents[1])
    command = [sys.executable, "-c", KILLED, what, url, str(path), method, str(calls)]
    environ = {**os.environ, "PYTHONPATH": source, "KEYS": key}
    return subprocess.run(command, env=environ, check=False, timeout=110).returncode


async def test_processes_that_are_killed(
    path: Path, key: str, keyring: Keyring, tmp_path: Path
) -> None:
    """`kill -9` in the middle of an export, then of two imports; all are gone on with."""
    source_url, target_url = (f"sqlite:///{tmp_path}/{name}.db" for name in ("source", "target"))
    source, target = store_from_url(source_url), store_from_url(target_url)
    records = [*of_alice(20), *(make_record(subject="bob") for _ in range(580))]
    await put(source, records)
    asking = asyncio.to_thread(killed, "export", source_url, path, key, "page", 2)
    assert await asking == -signal.SIGKILL
    assert path.name not in files(tmp_path)
    assert await export_sessions(source, path, keyring, resume=True) == Exported(sessions=600)
    for calls in (100, 200):
        asking = asyncio.to_thread(killed, "import", target_url, path, key, "enlist", calls)
        assert await asking == -signal.SIGKILL
    done = await import_sessions(target, path, keyring)
    assert done.imported + done.there == 600
    assert done.there >= 200
    assert await all_of(target) == {record.id: record for record in records}
    assert await order(target, "alice") == [record.id for record in records[:20]]
    await source.close()
    await target.close()
