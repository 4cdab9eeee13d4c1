"""SQL stores beside an application's own use of the same engine, whatever that has set."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.protocol import Conflict
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import make_record, make_tombstone, next_version
from coatcheck.waiting import Kind
from tests.conftest import new_url
from tests.kinds import DRIVERS
from tests.servers import Server, postgres_url, with_tables
from tests.threads import ask

EACH = pytest.mark.parametrize("driver", DRIVERS)
MYSQL = pytest.mark.parametrize("driver", ["asyncmy", "pymysql"])


@pytest.fixture
def url(request: pytest.FixtureRequest, driver: str, tmp_path: Path) -> str:
    return new_url(request, DRIVERS[driver][0], tmp_path)


def engine_of(url: str, driver: str, **options: Any) -> tuple[Engine | AsyncEngine, str]:
    """Return an application's engine, and the tables' prefix."""
    parts = make_url(url)
    prefix = str(parts.query["prefix"])
    parts = parts.set(drivername=f"{parts.drivername}+{driver}")
    parts = parts.difference_update_query(["prefix"]).update_query_dict(options.pop("query", {}))
    is_async = DRIVERS[driver][1] is Kind.ASYNCIO
    return (create_async_engine if is_async else create_engine)(parts, **options), prefix


async def dispose(engine: Engine | AsyncEngine) -> None:
    if isinstance(engine, AsyncEngine):
        await engine.dispose()
    else:
        await asyncio.to_thread(engine.dispose)


async def use(store: SQLStore, subject: str = "alice") -> None:
    """Ask for everything once; each answer is what it should be."""
    record = make_record(subject=subject, payload=b"\\' OR 1 = 1; -- \x00\xbf' \xf0\x9f\x98\x80\"")
    await ask(store, store.save(record, None))
    with pytest.raises(Conflict):
        await ask(store, store.save(record._replace(stamp=b"another!"), None))
    assert await ask(store, store.enlist(record, 1, 0, 0)) == [record.id]
    later = next_version(record)
    await ask(store, store.save(later, record))
    with pytest.raises(Conflict):
        await ask(store, store.save(next_version(record), record))
    assert await ask(store, store.load(record.id)) == later
    assert (await ask(store, store.page(subject, None, 9))).records == [later]
    assert await ask(store, store.count(subject)) == 1
    assert [await ask(store, store.tally("k" + subject, 1, 2)) for _ in range(2)] == [1, 2]
    assert (await ask(store, store.bar(subject, 7))).ids == [record.id]
    assert await ask(store, store.end(make_tombstone(record.id))) == later
    assert await ask(store, store.count(None)) == 0
    assert await ask(store, store.sweep(1, 100)) == 0


OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "serializable": {"isolation_level": "SERIALIZABLE"},
    "autocommit": {"isolation_level": "AUTOCOMMIT"},
    "committing": {"pool_reset_on_return": "commit"},
    "one connection": {"pool_size": 1, "max_overflow": 0},
    "checked": {"pool_pre_ping": True},
    "for once": {"pool_recycle": 0},
    "checked, for once": {"pool_pre_ping": True, "pool_recycle": 0},
}


@EACH
@pytest.mark.parametrize("options", OPTIONS)
async def test_an_engine_of_any_settings_serves(url: str, driver: str, options: str) -> None:
    """Fails when a setting of the application's reaches the store's statements."""
    engine, prefix = engine_of(url, driver, **OPTIONS[options])
    store = SQLStore(engine, prefix=prefix)
    await use(store)
    await ask(store, store.close())


@EACH
@pytest.mark.parametrize("moment", ["checkout", "checkin", "reset"])
async def test_an_application_may_speak_on_what_is_lent(url: str, driver: str, moment: str) -> None:
    """Fails when it is lent, or taken back, in a way in which nothing can be waited for."""
    engine, prefix = engine_of(url, driver)
    plain = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    heard: list[Any] = []

    @event.listens_for(plain, moment)
    def speak(connection: Any, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        cursor.close()
        heard.append(connection)

    store = SQLStore(engine, prefix=prefix)
    await use(store)
    assert len(heard) > 5
    assert len({id(connection) for connection in heard}) == 1, "none was lost over it"
    await ask(store, store.close())
    await dispose(engine)


MODES = [
    "NO_BACKSLASH_ESCAPES",
    "ANSI_QUOTES,PIPES_AS_CONCAT,NO_UNSIGNED_SUBTRACTION",
    "",
    "TRADITIONAL,ONLY_FULL_GROUP_BY,IGNORE_SPACE,HIGH_NOT_PRECEDENCE",
    "ORACLE",
    "EMPTY_STRING_IS_NULL",
]


@MYSQL
@pytest.mark.parametrize("mode", MODES)
async def test_no_mode_of_sql_changes_what_is_said(url: str, driver: str, mode: str) -> None:
    """In one of them a backslash hides no quote, so that data of a session would be statements.

    Fails when a connection keeps the mode that it was given.
    """
    engine, prefix = engine_of(url, driver)
    plain = engine.sync_engine if isinstance(engine, AsyncEngine) else engine

    @event.listens_for(plain, "connect")
    def set_mode(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION sql_mode = '{mode}'")
        cursor.close()

    store = SQLStore(engine, prefix=prefix)
    await use(store)
    await ask(store, store.close())


@MYSQL
@pytest.mark.parametrize("charset", ["gbk", "latin1"])
async def test_a_character_set_that_hides_quotes_is_refused(
    url: str, driver: str, charset: str
) -> None:
    """Fails when data of a session is sent in a set of characters where a byte swallows a quote."""
    engine, prefix = engine_of(url, driver, query={"charset": charset})
    store = SQLStore(engine, prefix=prefix)
    with pytest.raises(ConfigurationError, match="utf8mb4"):
        await ask(store, store.load("A" * 22))
    with pytest.raises(ConfigurationError, match="utf8mb4"):
        await ask(store, store.bar("alice", 1))
    await ask(store, store.close())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_search_path_is_followed(url: str, driver: str) -> None:
    """Set when a connection is made, as SQLAlchemy's documentation does it, or in a transaction."""
    engine, prefix = engine_of(url, driver)
    plain = engine.sync_engine if isinstance(engine, AsyncEngine) else engine

    @event.listens_for(plain, "connect")
    def set_path(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("CREATE SCHEMA IF NOT EXISTS elsewhere")
        cursor.execute("SET search_path = elsewhere")
        cursor.close()
        if driver == "asyncpg":
            connection.commit()

    store = SQLStore(engine, prefix=prefix)
    with pytest.raises(ConfigurationError, match="no tables"):
        await ask(store, store.load("A" * 22))
    await ask(store, store.create_tables())
    await use(store)
    await ask(store, store.close())
    await dispose(engine)


@EACH
async def test_an_open_transaction_of_the_application_is_left_alone(url: str, driver: str) -> None:
    """Fails when the store uses, or closes, a connection of the application's own."""
    engine, prefix = engine_of(url, driver, pool_size=1, max_overflow=0)
    store = SQLStore(engine, prefix=prefix)
    if isinstance(engine, AsyncEngine):
        async with engine.connect() as connection:
            await connection.execute(text("CREATE TEMPORARY TABLE mine (n INT)"))
            await connection.execute(text("INSERT INTO mine VALUES (1)"))
            await use(store)
            await store.close()
            found = await connection.execute(text("SELECT n FROM mine"))
            assert found.scalar_one() == 1
            await connection.rollback()
        await engine.dispose()
        return

    def visit() -> None:
        with engine.connect() as connection:
            connection.execute(text("CREATE TEMPORARY TABLE mine (n INT)"))
            connection.execute(text("INSERT INTO mine VALUES (1)"))
            asyncio.run(use(store))
            assert connection.execute(text("SELECT n FROM mine")).scalar_one() == 1
            connection.rollback()
        engine.dispose()

    await asyncio.to_thread(visit)
    await ask(store, store.close())


@EACH
async def test_making_tables_keeps_the_application_s_connections(url: str, driver: str) -> None:
    """Fails when its pool is emptied."""
    engine, prefix = engine_of(url, driver, pool_size=1, max_overflow=0)
    store = SQLStore(engine, prefix=prefix)
    is_mysql = DRIVERS[driver][0] == "mariadb"
    which = text("SELECT connection_id()" if is_mysql else "SELECT pg_backend_pid()")

    async def mine() -> int:
        if isinstance(engine, AsyncEngine):
            async with engine.connect() as connection:
                return int((await connection.execute(which)).scalar_one())

        def ask_for(engine: Engine) -> int:
            with engine.connect() as connection:
                return int(connection.execute(which).scalar_one())

        return await asyncio.to_thread(ask_for, engine)

    before = await mine()
    await ask(store, store.create_tables())
    assert await mine() == before
    await ask(store, store.close())
    await (
        engine.dispose() if isinstance(engine, AsyncEngine) else asyncio.to_thread(engine.dispose)
    )


@EACH
async def test_an_error_says_nothing_of_what_was_stored(url: str, driver: str) -> None:
    """A constraint of somebody else's is broken, whose error quotes the row.

    Fails when a driver's words, or the driver's error itself, are handed on.
    """
    engine, prefix = engine_of(url, driver)
    store = SQLStore(engine, prefix=prefix)
    unique = text(f"CREATE UNIQUE INDEX {prefix}_u ON {prefix}_sessions (owner)")
    if isinstance(engine, AsyncEngine):
        async with engine.begin() as connection:
            await connection.execute(unique)
        await engine.dispose()
    else:

        def make() -> None:
            with engine.begin() as connection:
                connection.execute(unique)
            engine.dispose()

        await asyncio.to_thread(make)
    record = make_record(subject="alice-secret", payload=b"payload-secret")
    await ask(store, store.save(record, None))
    other = make_record(subject="alice-secret", payload=b"payload-secret")
    with pytest.raises((StoreUnavailable, Conflict)) as caught:
        await ask(store, store.save(other, None))
    error = caught.value
    said = f"{error} {error!r} {error.args} {error.__cause__!r}"
    assert "secret" not in said
    assert record.id not in said
    assert error.__cause__ is None
    await ask(store, store.close())


SUBJECTS = [
    *("\U0001f600", "\U0001f601", "é" * 300, "é" * 299, "nul\0", "a" * 5_000, "a" * 4_999),
    *("alice", "Alice", "ALICE", "alice ", " ", "=", "*", "%_'\\", "é", "e\u0301"),
]


@EACH
async def test_every_subject_is_somebody_else(url: str, driver: str) -> None:
    """Fails when characters are refused, or told apart less exactly than Python does it."""
    engine, prefix = engine_of(url, driver)
    store = SQLStore(engine, prefix=prefix)
    records = [make_record(subject=subject) for subject in SUBJECTS]
    for record in records:
        await ask(store, store.save(record, None))
    for record in records:
        assert await ask(store, store.enlist(record, 1, 0, 0)) == [record.id]
        assert await ask(store, store.load(record.id)) == record
        assert await ask(store, store.count(record.subject)) == 1
        assert not await ask(store, store.is_barred(str(record.subject), 5))
        assert (await ask(store, store.bar(record.subject, 5))).ids == [record.id]
        assert await ask(store, store.is_barred(str(record.subject), 5))
    await ask(store, store.close())


@pytest.fixture
def latin(postgres: Server) -> str:
    """A database of PostgreSQL that has no characters but those of Western Europe."""
    with psycopg.connect(postgres_url(postgres), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS latin")
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    return with_tables(postgres_url(postgres).removesuffix("postgres") + "latin")


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_a_database_of_few_characters_has_every_subject(latin: str, driver: str) -> None:
    """Fails when a subject is written as it is, where it cannot be."""
    engine, prefix = engine_of(latin, driver)
    store = SQLStore(engine, prefix=prefix)
    await use(store, "\U0001f600")
    await ask(store, store.close())
