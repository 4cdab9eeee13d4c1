"""An audit trail in a real database: every event, whatever is in it, and whatever fails."""

import json
import logging
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from coatcheck import Client, Event, Happened, store_from_url
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.observe import Audit
from coatcheck.observe.sql_table import SQLTable
from coatcheck.stores.sql import SQLStore
from tests.conftest import new_url
from tests.servers import (
    Server,
    free_port,
    postgres_server,
    postgres_url,
    with_tables,
)

AT = 1_764_366_168_123
CLIENT = Client("198.51.100.7", "Firefox on Linux")
LOGIN = Event(Happened.CREATED, AT, "id", "alice", {"assurance": 1}, "user", "sign_in", CLIENT)
GARBAGE = Event(Happened.REFUSED, AT, cause="malformed")


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_url(request, request.param, tmp_path)


def engine(url: str) -> Engine:
    parts = make_url(url)
    driver = {"postgresql": "psycopg", "mysql": "pymysql"}[parts.drivername]
    plain = parts.set(drivername=f"{parts.drivername}+{driver}")
    return create_engine(plain.difference_update_query(["prefix"]), poolclass=NullPool)


def rows(url: str) -> list[dict[str, Any]]:
    table = f"{make_url(url).query['prefix']}_audit"
    with engine(url).connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {table} ORDER BY number"))  # noqa: S608
        return [dict(row) for row in found.mappings()]


def told(url: str) -> list[str]:
    return [row["event"] for row in rows(url)]


def test_who_what_when_and_where(url: str) -> None:
    table = SQLTable.from_url(url)
    Audit(table)(LOGIN)
    table.close()
    (row,) = rows(url)
    at, facts = row.pop("time"), row.pop("facts")
    moment = datetime.fromtimestamp(AT / 1000, UTC)
    assert at.replace(tzinfo=UTC) == moment if at.tzinfo is None else at == moment
    assert (facts if isinstance(facts, dict) else json.loads(facts)) == {"assurance": 1}
    assert row == {
        "number": 1,
        "event": "session_created",
        "session": "id",
        "subject": "alice",
        "actor": "user",
        "cause": "sign_in",
        "address": "198.51.100.7",
        "agent": "Firefox on Linux",
    }


@pytest.mark.parametrize(
    "hostile",
    [
        "'); DROP TABLE students; --",
        '"%(time)s" :time %s {sessions} \\',
        "\0\x1b[31m\n",
        "\ud800 alone",
        "🦝 ä 漢",
        "x" * 300,
    ],
)
def test_what_is_in_an_event_is_data(url: str, hostile: str) -> None:
    facts = {"to": hostile.replace("\0", "")}
    client = Client(hostile, hostile)
    table = SQLTable.from_url(url)
    table(Event(Happened.ENDED, AT, "id", hostile, facts, f"administrator:{hostile}", "x", client))
    table.close()
    (row,) = rows(url)
    assert row["subject"] == row["agent"]
    if len(hostile) > 255:
        assert row["subject"] == "x" * 254 + "…"
    else:
        expected = hostile.replace("\0", "\\0").replace("\ud800", "\\ud800")
        assert row["subject"] == expected


def test_what_waits_is_written_at_once(url: str) -> None:
    """A batch is one transaction; after it the rest of what waits is the next."""
    table, begun, may_write = SQLTable.from_url(url), threading.Event(), threading.Event()
    batches: list[int] = []

    class Watched:
        def __call__(self, event: Event) -> None:
            raise AssertionError

        def write_all(self, events: list[Event]) -> None:
            begun.set()
            assert may_write.wait(30)
            batches.append(len(events))
            table.write_all(events)

    audit = Audit(Watched(), slow=True)
    audit(LOGIN)
    assert begun.wait(30)
    for _ in range(150):
        audit(GARBAGE)
    may_write.set()
    audit.flush()
    table.close()
    assert batches == [1, 100, 50]
    assert told(url) == ["session_created", *["token_refused"] * 150]


def test_a_database_that_is_away_fails_no_request_and_what_was_lost_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when who failed is asked again by each request, or what was lost is not counted."""
    monkeypatch.setattr("coatcheck.observe.sql_table.AGAIN_AFTER", 3_600)
    with postgres_server() as server:
        url = with_tables(postgres_url(server)).replace("postgres@", "postgres:hunter2@")
        table = SQLTable.from_url(url)
        audit = Audit(table)
        audit(LOGIN)
        server.kill()
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                audit(LOGIN)
        assert len(caplog.records) == 1
        assert "alice" not in caplog.text
        assert "hunter2" not in caplog.text
        server.start()
        wait_for(url)
        audit(LOGIN)  # it is too early
        monkeypatch.setattr(table, "_again_at", 0.0)
        audit(LOGIN)
        audit(LOGIN)
        table.close()
        kept = rows(url)
    assert [row["event"] for row in kept] == [
        "session_created",
        "events_lost",
        "session_created",
        "session_created",
    ]
    assert kept[1]["facts"] == {"count": 4}


def wait_for(url: str) -> None:
    while True:
        try:
            rows(url)
        except Exception as error:
            if "starting up" not in str(error) and "not yet accepting" not in str(error):
                raise
        else:
            return


def test_its_user_needs_to_insert_only(postgres: Server) -> None:
    url = with_tables(postgres_url(postgres))
    prefix = make_url(url).query["prefix"]
    with engine(url).begin() as connection:
        connection.execute(text("CREATE USER writer PASSWORD 'hunter2'"))
        connection.execute(text(f"GRANT INSERT ON {prefix}_audit TO writer"))
    table = SQLTable.from_url(url.replace("postgres@", "writer:hunter2@"))
    table(LOGIN)
    table.close()
    assert told(url) == ["session_created"]
    with engine(url).begin() as connection:
        connection.execute(text("DROP OWNED BY writer"))
        connection.execute(text("DROP USER writer"))


def test_a_store_for_asyncio_is_refused(url: str) -> None:
    store = store_from_url(url)
    assert isinstance(store, SQLStore)
    with pytest.raises(ConfigurationError, match="not an AsyncEngine"):
        SQLTable(store)


def test_errors_hold_no_value() -> None:
    table = SQLTable.from_url(f"postgresql://a:hunter2@127.0.0.1:{free_port()}/a")
    with pytest.raises(StoreUnavailable) as caught:
        table(LOGIN)
    assert "alice" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
