"""From any store into any store: nothing is lost, overwritten or revived, and all is in order."""

from io import BytesIO
from pathlib import Path

import pytest

from coatcheck import Holder, Keyring, MemoryStore, Policy, Sessions, Standing, Store
from coatcheck.backup import Exported, Imported, export_sessions, exporting, import_sessions
from coatcheck.clock import system
from coatcheck.core.record import Client, Ended, Record, Tombstone
from coatcheck.stores.redis import RedisStore
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.testing import Clock
from coatcheck.testing.stores import HOUR, make_record, next_version
from coatcheck.waiting import Kind, finish
from tests.backup.filled import all_of, files, of_alice, order, put, tombstone
from tests.servers import Server
from tests.sessions.browser import Browser


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a user's sessions be on several pages, each of which is of several users."""
    monkeypatch.setattr(exporting, "PAGE", 3)


async def moved(source: Store, target: Store, keyring: Keyring) -> Imported:
    """Export and import."""
    file = BytesIO()
    await export_sessions(source, file, keyring)
    file.seek(0)
    return await import_sessions(target, file, keyring)


async def test_all_of_a_session_comes_along(
    store: Store, target: Store, path: Path, keyring: Keyring
) -> None:
    """Fails when a time, a version, a stamp, a client or a byte of the data changes."""
    now = system()
    records = [
        make_record(subject=None, client=Client()),
        next_version(make_record(subject="böb", authenticated_at=now - 5_000, assurance=2)),
        make_record(
            subject="carol",
            former_digest=b"f" * 32,
            former_until=now + 9_000,
            renew_nonce=b"n" * 16,
            renewed_at=now - 7_000,
            seen_at=now - 1_234,
            client=Client("2001:db8::1", "Firefox on Linux", "Linux", "de,en"),
            payload=bytes(range(256)),
        ),
        *of_alice(7),
    ]
    await put(store, records)
    await store.touch(records[-1], now + 77)
    records[-1] = records[-1]._replace(seen_at=now + 77)

    exported = await export_sessions(store, path, keyring)
    assert exported == Exported(sessions=10)
    assert await import_sessions(target, path, keyring) == Imported(imported=10)
    assert await all_of(target) == {record.id: record for record in records}
    assert set(await all_of(target, "alice")) == {record.id for record in records[3:]}
    assert files(path.parent) == {path.name: 0o600}


async def test_a_second_time_changes_nothing(store: Store, target: Store, keyring: Keyring) -> None:
    """Fails when something is written over, or the order is not what it was."""
    records = of_alice(7)
    await put(store, records)
    assert await moved(store, target, keyring) == Imported(imported=7)
    used = next_version(records[2], seen_at=system() + 5, payload=b"newer")
    await target.save(used, records[2])
    assert await moved(store, target, keyring) == Imported(there=7)
    assert (await all_of(target))[used.id] == used
    assert await order(target, "alice") == [record.id for record in records]


async def test_expired_sessions_are_left_out(store: Store, target: Store, keyring: Keyring) -> None:
    """Fails when they are in the file, or put into a store though they ended in the file."""
    now = system()
    idle = make_record(seen_at=now - HOUR, created_at=now - 2 * HOUR, idle=HOUR, subject="alice")
    over = make_record(ends_at=now - 1)
    live = make_record(seen_at=now - HOUR, created_at=now - 2 * HOUR, idle=2 * HOUR)
    await put(store, [idle, over, live])
    file = BytesIO()
    assert await export_sessions(store, file, keyring) == Exported(sessions=1, expired=2)
    file.seek(0)
    assert await import_sessions(target, file, keyring) == Imported(imported=1)
    assert set(await all_of(target)) == {live.id}


async def test_what_expires_in_the_file_stays_out(target: Store, keyring: Keyring) -> None:
    class Early(MemoryStore):
        async def time(self) -> int:
            return system() - 3 * HOUR

    source = Early()
    await put(source, [make_record(seen_at=system() - HOUR, idle=HOUR, subject="alice")])
    assert await moved(source, target, keyring) == Imported(expired=1)
    assert await all_of(target) == {}


async def test_what_ended_stays_ended(store: Store, target: Store, keyring: Keyring) -> None:
    """Fails when a tombstone gives way."""
    records = of_alice(3)
    await put(store, records)
    ended = Tombstone.of(records[1].id, Ended.REVOKED, system())
    await target.end(ended)
    assert await moved(store, target, keyring) == Imported(imported=2, ended=1)
    assert await target.load(ended.id) == ended
    assert await order(target, "alice") == [records[0].id, records[2].id]


async def test_whose_sessions_were_all_ended_stays_out(
    store: Store, target: Store, keyring: Keyring
) -> None:
    """Fails when the bar of a user is not asked, or keeps out who signed in after it."""
    records = of_alice(4)
    other = make_record(subject="bob", created_at=records[0].created_at)
    await put(store, [*records, other])
    await target.bar("alice", records[1].authenticated_at or 0)
    assert await moved(store, target, keyring) == Imported(imported=3, ended=2)
    assert set(await all_of(target)) == {records[2].id, records[3].id, other.id}
    assert await order(target, "alice") == [records[2].id, records[3].id]


async def test_where_everybody_was_ended_nobody_comes_back(
    store: Store, target: Store, keyring: Keyring
) -> None:
    """Fails when everybody's bar is not asked, or not about visitors, who are in no index."""
    await put(store, [*of_alice(2), make_record()])
    await target.bar(None, system() + 1)
    assert await moved(store, target, keyring) == Imported(ended=3)
    assert await all_of(target) == {}


async def test_a_bar_that_is_raised_meanwhile_counts(keyring: Keyring) -> None:
    """Fails when the bar is asked before the record is there, and not as its entry is added."""

    class Barring(MemoryStore):
        async def save(self, record: Record, base: Record | None, /) -> None:
            await super().save(record, base)
            await self.bar("alice", system())

    source, target = MemoryStore(), Barring()
    (record,) = of_alice(1)
    await put(source, [record])
    assert await moved(source, target, keyring) == Imported(ended=1)
    stored = await target.load(record.id)
    assert isinstance(stored, Tombstone)
    assert stored.why == Ended.END_ALL
    assert await order(target, "alice") == []


async def test_sessions_are_in_the_order_in_which_they_were_begun(
    store: Store, target: Store, keyring: Keyring
) -> None:
    """G4. Fails when they are in the order of the file, or newer ones of the store's come first."""
    first, second, third = of_alice(12)[:4], of_alice(12)[4:8], of_alice(12)[8:]
    await put(store, [*first, *third])
    await put(target, second)
    assert (await moved(store, target, keyring)).imported == 8
    assert await order(target, "alice") == [record.id for record in (*first, *second, *third)]


async def test_who_stays_after_all_others_were_ended_keeps_the_place(
    store: Store, target: Store, keyring: Keyring
) -> None:
    """The bar is later than the session that was kept. Fails when that is ended for it."""
    kept, later = of_alice(2)
    await put(target, [kept])
    await target.bar("alice", kept.authenticated_at or 0)
    await put(store, [kept, later])
    assert await moved(store, target, keyring) == Imported(imported=1, there=1)
    assert await order(target, "alice") == [kept.id, later.id]


async def test_a_limit_ends_the_oldest(
    store: Store, target: Store, keyring: Keyring, clock: Clock
) -> None:
    """Whoever signs in after an import has the sessions that they would have had before it."""
    sessions = Sessions(store, clock=clock)
    browsers = [Browser(sessions) for _ in range(5)]
    for browser in browsers:
        clock.move(seconds=1)
        await browser.sign_in("alice")
    await moved(store, target, keyring)
    limited = Sessions(target, policy=Policy(max_sessions=4), clock=clock)
    clock.move(seconds=1)
    await Browser(limited).sign_in("alice")
    for browser in browsers:
        browser.sessions = limited
    assert [(await browser.see())[0] is not None for browser in browsers] == [False] * 2 + [
        True
    ] * 3


async def test_what_cannot_be_read_is_counted_and_named(
    path: Path, keyring: Keyring, tmp_path: Path
) -> None:
    """Fails when it is left out in silence, or keeps the others from being exported."""
    store, target = SQLiteStore(tmp_path / "source.db"), MemoryStore()
    good, bad = make_record(), make_record()
    await put(store, [good, bad])
    store._file.run(  # pyright: ignore[reportPrivateUsage] - as a disk does it
        lambda db: db.execute(
            "UPDATE coatcheck_sessions SET record = ? WHERE id = ?", (b"?", bad.id)
        ),
        1,
    )
    exported = await export_sessions(store, path, keyring)
    assert exported == Exported(1, unreadable=1, unreadable_ids=(bad.id,))
    assert await import_sessions(target, path, keyring) == Imported(imported=1)
    await store.close()


async def test_what_cannot_be_read_in_the_target_stays(keyring: Keyring, tmp_path: Path) -> None:
    source, target = MemoryStore(), SQLiteStore(tmp_path / "target.db")
    records = of_alice(2)
    await put(source, records)
    await put(target, records[:1])
    damage = "UPDATE coatcheck_sessions SET record = x'3f'"
    target._file.run(lambda db: db.execute(damage), 1)  # pyright: ignore[reportPrivateUsage]
    assert await moved(source, target, keyring) == Imported(imported=1, there=1)
    assert (await target.page(None, None, 10)).unreadable == [records[0].id]
    await target.close()


def test_a_blocking_store_needs_no_event_loop(redis: Server, keyring: Keyring) -> None:
    url = f"redis://127.0.0.1:{redis.port}/0?prefix=backup"
    source, target = RedisStore.from_url(url, kind=Kind.BLOCKING), MemoryStore()
    records = of_alice(4)
    finish(put(source, records))
    assert finish(moved(source, target, keyring)) == Imported(imported=4)
    for record in records:
        finish(source.end(tombstone(record)))
    assert finish(moved(target, source, keyring)) == Imported(ended=4)
    finish(source.close())


async def test_the_cookie_opens_what_was_imported(
    store: Store, target: Store, keyring: Keyring
) -> None:
    sessions = Sessions(store)
    browser = Browser(sessions)
    await browser.sign_in("alice", cart=["hat"])
    await moved(store, target, keyring)
    browser.sessions = Sessions(target)
    assert await browser.see() == ("alice", {"cart": ["hat"]})
    await browser.put(cart=["hat", "scarf"])
    assert (await browser.see())[1] == {"cart": ["hat", "scarf"]}
    await browser.sessions.end_all("alice")
    session = await browser.send()
    assert session.standing is Standing.RETIRED
    assert Holder.SIGNED_IN in browser.jar
    await moved(store, target, keyring)
    assert (await browser.send()).subject is None
