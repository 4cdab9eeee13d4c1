"""What a store holds is damaged: it is told apart from nothing, and stays for whoever repairs it.

Memory has nothing to damage.
"""

import sqlite3
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from coatcheck import Sessions, SQLiteStore, Store
from coatcheck.core.record import Record, Tombstone
from coatcheck.errors import Undecodable
from coatcheck.stores.packed import pack, pack_tombstone
from coatcheck.stores.protocol import Conflict
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import Clock, make_record, make_tombstone, next_version
from tests.servers import Server

_OTHER = make_record()


class InSQLite(str):
    """What is set in the row."""

    __slots__ = ()


class InRedis:
    """What becomes of the value."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self.change = change


# What writes compare, a version and a stamp, is not there any more.
HEAD: dict[str, Any] = {
    "sqlite-garbage": InSQLite("record = x'ffffffffffffffffffffffffffffffffffffff'"),
    "sqlite-text": InSQLite("record = CAST(record AS TEXT) || 'x'"),
    "sqlite-cut-9": InSQLite("record = substr(record, 1, 9)"),
    "sqlite-tag": InSQLite("record = CAST('X' || substr(record, 2) AS BLOB)"),
    "redis-garbage": InRedis(lambda _: b"\xff" * 99),
    "redis-tag": InRedis(lambda value: b"X" + value[1:]),
    "redis-cut-9": InRedis(lambda value: value[:9]),
    "redis-other-session": InRedis(lambda _: pack(_OTHER)),
}
# It is there, and what follows is damaged.
BODY: dict[str, Any] = {
    "sqlite-seen_at": InSQLite("seen_at = 'x'"),
    "sqlite-cut-30": InSQLite("record = substr(record, 1, 30)"),
    "sqlite-cut-last": InSQLite("record = substr(record, 1, length(record) - 1)"),
    "redis-cut-20": InRedis(lambda value: value[:20]),
    "redis-cut-30": InRedis(lambda value: value[:30]),
    "redis-cut-last": InRedis(lambda value: value[:-1]),
}
# It says that it is a tombstone, and is not this session's.
TOMBSTONE: dict[str, Any] = {
    "redis-tombstone-cut": InRedis(lambda _: pack_tombstone(make_tombstone(_OTHER.id))[:9]),
    "redis-other-tombstone": InRedis(lambda _: pack_tombstone(make_tombstone(_OTHER.id))),
}
EMPTY: dict[str, Any] = {"redis-empty": InRedis(lambda _: b"")}


class Damaged:
    """A store with two sessions of alice, of which one is damaged."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.record, self.intact = make_record(subject="alice"), make_record(subject="alice")

    async def fill(self) -> None:
        for record in (self.record, self.intact):
            await self.store.save(record, None)
            assert await self.store.enlist(record, record.seen_at, 0) is not None

    async def stored(self) -> Any:
        """Return what is there now, to the byte."""
        raise NotImplementedError


class DamagedRow(Damaged):
    def __init__(self, path: Path) -> None:
        super().__init__(SQLiteStore(path))
        self._path = path

    async def damage(self, change: str) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            statement = f"UPDATE coatcheck_sessions SET {change} WHERE id = ?"  # noqa: S608
            db.execute(statement, (self.record.id,))

    async def stored(self) -> Any:
        with closing(sqlite3.connect(self._path)) as db:
            db.text_factory = bytes
            rows = db.execute("SELECT * FROM coatcheck_sessions WHERE id = ?", (self.record.id,))
            return rows.fetchall()


class DamagedValue(Damaged):
    def __init__(self, server: Server) -> None:
        prefix = uuid.uuid4().hex
        super().__init__(RedisStore.from_url(f"redis://127.0.0.1:{server.port}/0?prefix={prefix}"))
        self.client: Any = redis.asyncio.Redis(port=server.port)
        self.prefix = prefix
        self._key = f"{prefix}:s:{self.record.id}"

    async def damage(self, change: Callable[[bytes], bytes]) -> None:
        await self.client.set(self._key, change(pack(self.record)), keepttl=True)

    async def stored(self) -> Any:
        return await self.client.get(self._key)


@pytest.fixture
async def damaged(
    request: pytest.FixtureRequest, redis: Server, tmp_path: Path
) -> AsyncGenerator[Damaged]:
    if isinstance(request.param, InSQLite):
        row = DamagedRow(tmp_path / "sessions.db")
        await row.fill()
        await row.damage(request.param)
        yield row
        await row.store.close()
    else:
        value = DamagedValue(redis)
        await value.fill()
        await value.damage(request.param.change)
        yield value
        await value.store.close()
        await value.client.aclose()


async def listing(store: Store, subject: str | None) -> list[Record]:
    """Return the records on all pages; other tests have keys in the same database."""
    found: list[Record] = []
    after: str | None = None
    while True:
        page = await store.page(subject, after, 1000)
        found += page.records
        if (after := page.next) is None:
            return found


def each(damages: dict[str, Any]) -> pytest.MarkDecorator:
    """Run a test for each damage."""
    return pytest.mark.parametrize("damaged", damages.values(), ids=damages, indirect=True)


@each(HEAD | BODY | TOMBSTONE | EMPTY)
async def test_a_load_says_so(damaged: Damaged) -> None:
    """Fails when a value is not checked, is taken for nothing, or is cleared away."""
    before = await damaged.stored()
    with pytest.raises(Undecodable):
        await damaged.store.load(damaged.record.id)
    assert await damaged.stored() == before


@each(HEAD | TOMBSTONE | EMPTY)
async def test_a_save_over_it_leaves_it(damaged: Damaged) -> None:
    """Fails when what is stored is not compared with the base, or not read.

    Where version and stamp are those of the base, the save replaces what was read well before.
    """
    before = await damaged.stored()
    with pytest.raises(Undecodable):
        await damaged.store.save(next_version(damaged.record), damaged.record)
    assert await damaged.stored() == before


@each(HEAD | BODY | TOMBSTONE)
async def test_a_new_session_leaves_it(damaged: Damaged) -> None:
    """Fails when a first save does not ask what is there."""
    before = await damaged.stored()
    with pytest.raises((Undecodable, Conflict)):
        await damaged.store.save(damaged.record._replace(stamp=b"another!"), None)
    assert await damaged.stored() == before


@each(TOMBSTONE | EMPTY | {name: HEAD[name] for name in ("redis-garbage", "redis-tag")})
async def test_a_touch_leaves_it(damaged: Damaged) -> None:
    """Fails when a touch does not look at the kind of a value."""
    before = await damaged.stored()
    await damaged.store.touch(damaged.record, damaged.record.seen_at + 1_000)
    assert await damaged.stored() == before


@each(HEAD | BODY | TOMBSTONE | EMPTY)
async def test_a_listing_shows_the_others(damaged: Damaged) -> None:
    """Fails when one unreadable record makes a whole page fail."""
    before = await damaged.stored()
    for subject in ("alice", None):
        assert await listing(damaged.store, subject) == [damaged.intact]
    assert await damaged.stored() == before


@each(HEAD | BODY)
async def test_an_end_of_everything_ends_what_cannot_be_read(damaged: Damaged) -> None:
    """Another version may read it. Fails when a listing leaves it out, or its end fails."""
    await Sessions(damaged.store).end_everything()
    for record in (damaged.record, damaged.intact):
        assert isinstance(await damaged.store.load(record.id), Tombstone)


@each(HEAD | BODY | EMPTY)
async def test_an_end_puts_the_tombstone_in_its_place(damaged: Damaged) -> None:
    """Fails when an end wants to read what it replaces."""
    tombstone = make_tombstone(damaged.record.id)
    assert await damaged.store.end(tombstone) is None
    assert await damaged.store.load(damaged.record.id) == tombstone


@each(HEAD | TOMBSTONE | EMPTY | {name: BODY[name] for name in BODY if "sqlite" in name})
async def test_an_end_of_its_base_leaves_it(damaged: Damaged) -> None:
    """Fails when an end with a base replaces what it cannot compare."""
    before = await damaged.stored()
    with pytest.raises(Undecodable):
        await damaged.store.end(make_tombstone(damaged.record.id), damaged.record)
    assert await damaged.stored() == before


@pytest.mark.parametrize("damaged", [HEAD["redis-garbage"]], indirect=True)
@pytest.mark.parametrize(
    ("command", "name"),
    [
        pytest.param("SET", b"plain", id="a-string"),
        pytest.param("RPUSH", b"list", id="another-type"),
        pytest.param("RPUSH", _OTHER.id.encode(), id="another-type-of-a-session"),
        pytest.param("SET", b"\xff", id="no-utf-8"),
    ],
)
async def test_a_key_of_somebody_else_does_not_hide_the_sessions(
    damaged: Damaged, command: str, name: bytes
) -> None:
    """Fails when a key under the prefix that no session has makes a whole page fail."""
    assert isinstance(damaged, DamagedValue)
    key = f"{damaged.prefix}:s:".encode() + name
    await damaged.client.execute_command(command, key, b"value")
    assert await listing(damaged.store, None) == [damaged.intact]


@pytest.mark.parametrize("ms", [-1, 2**62])
async def test_an_impossible_time_hides_no_other_session(
    store: Store, sessions: Sessions, clock: Clock, ms: int
) -> None:
    """R-013. Fails when a time is shown as it is stored."""
    now = clock()
    records = [make_record(subject="alice", seen_at=now), make_record(subject="alice", seen_at=now)]
    damaged = records[0]._replace(created_at=ms, authenticated_at=ms)
    for record in (damaged, records[1]):
        await store.save(record, None)
        assert await store.enlist(record, now, 0) is not None
    assert {info.id for info in await sessions.list("alice")} == {each.id for each in records}
