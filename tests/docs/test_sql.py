"""What docs/how-to/sql.md shows and says, on real databases."""

import asyncio
import os
import re
import subprocess
from collections.abc import Generator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from starlette.testclient import TestClient

from coatcheck import BlockingSessions, Policy, Rate, store_from_url
from coatcheck.doctor.examination import examine
from coatcheck.doctor.order import Order
from coatcheck.errors import ConfigurationError
from coatcheck.stores.sql import SQLStore
from coatcheck.stores.sql.tables import tables
from coatcheck.testing import Clock
from coatcheck.waiting import Kind, finish
from tests.docs.test_examples import EXAMPLES, HTTPS, load
from tests.doctor.conftest import coatcheck
from tests.servers import Server, mariadb_url, postgres_program, postgres_url

PAGE, AUDIT = ((EXAMPLES.parent / "how-to" / f"{name}.md").read_text() for name in ("sql", "audit"))


def made(url: str) -> None:
    finish(SQLStore.from_url(url, kind=Kind.BLOCKING).create_tables())


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> Generator[str]:
    """A database of its own."""
    if request.param == "postgresql":
        url = postgres_url(request.getfixturevalue("postgres"))
    else:
        url = root(request.getfixturevalue("mariadb"))
    run(url, "CREATE DATABASE manual")
    yield in_database(url, "manual")
    run(url, "DROP DATABASE manual")


def in_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def root(mariadb: Server) -> str:
    return mariadb_url(mariadb).replace("coatcheck@", "root@")


def with_driver(url: str, *, is_async: bool = False) -> str:
    database = make_url(url).drivername
    drivers = {"postgresql": ("psycopg", "asyncpg"), "mysql": ("pymysql", "asyncmy")}
    return url.replace(database, f"{database}+{drivers[database][is_async]}", 1)


def engine_of(url: str) -> Engine:
    return create_engine(with_driver(url), poolclass=NullPool)


def run(url: str, *statements: str) -> None:
    engine = engine_of(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_in_five_minutes_from_nothing(url: str, tmp_path: Path) -> None:
    """The lines run as the page prints them, with a password that a URL cannot hold as it is."""
    password, encoded = re.findall(r"`(p\S+)` is `(p\S+)`", PAGE)[0]
    address = make_url(url)
    if address.drivername == "postgresql":
        as_root = {"PGHOST": "127.0.0.1", "PGPORT": str(address.port), "PGUSER": "postgres"}
        for line in re.findall(r"^sudo -u postgres (create.+)$", PAGE, re.MULTILINE):
            name, *arguments = line.split()
            subprocess.run(
                [postgres_program(name), *arguments],
                input=f"{password}\n{password}\n",
                env={**os.environ, **as_root},
                text=True,
                check=True,
                start_new_session=True,  # without a terminal, where it would ask
            )
    else:
        (line,) = re.findall(r"`(CREATE DATABASE shop; .*);`", PAGE)
        run(url, *line.replace("'password'", f"'{password}'").split("; "))
    try:
        (command,) = re.findall(r"^coatcheck (tables postgresql:\S+)$", PAGE, re.MULTILINE)
        (printed,) = re.findall(r"```\n((?:made .*\n)+)```", PAGE)
        command = command.replace("postgresql:", f"{address.drivername}:")
        command = command.replace(":password@localhost", f":{encoded}@127.0.0.1:{address.port}")
        for output in (printed, "nothing to do\n"):
            done = coatcheck(*command.split(), cwd=tmp_path)
            assert (done.returncode, done.stdout, done.stderr) == (0, output, "")
        sign_in_and_out(command.split()[1])
    finally:
        run(url, "DROP DATABASE shop", "DROP USER shop")


async def test_a_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    sessions = load("sql_url").sessions
    with pytest.raises(ConfigurationError, match="coatcheck tables"):
        await sessions.list("alice")
    await asyncio.to_thread(made, url)
    assert await sessions.list("alice") == []
    await sessions.close()


def test_an_engine_of_ones_own(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made(url)
    run(url, "CREATE TABLE orders (item VARCHAR(100))")
    monkeypatch.setenv("DATABASE_URL", with_driver(url, is_async=True))
    with TestClient(load("sql_shop").app, HTTPS) as client:
        client.post("/login/alice")
        assert client.post("/orders/hat").status_code == 200
        assert client.post("/orders/snark").status_code == 409
        assert client.get("/last").json() == "snark"
    with engine_of(url).connect() as connection:
        assert connection.execute(text("SELECT item FROM orders")).scalars().all() == ["hat"]


def test_flask(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made(url)
    monkeypatch.setenv("DATABASE_URL", url)
    module = load("sql_flask")
    client = module.app.test_client()
    client.post("/login/alice")
    assert [client.get("/visits").text for _ in range(2)] == ["1", "2"]
    module.sessions.close()


def differences(url: str, metadata: MetaData) -> list[Any]:
    with engine_of(url).connect() as connection:
        found: list[Any] = compare_metadata(MigrationContext.configure(connection), metadata)
        return found


def test_alembic_finds_nothing_to_do(url: str) -> None:
    made(url)
    metadata = MetaData()
    tables(metadata)
    assert differences(url, metadata) == []


def test_alembic_makes_the_tables(url: str, tmp_path: Path) -> None:
    """By a migration that it wrote itself, with an application's own."""
    metadata = load("sql_metadata").metadata
    config = Config(str(tmp_path / "alembic.ini"), stdout=StringIO())
    command.init(config, str(tmp_path / "migrations"))
    env = tmp_path / "migrations" / "env.py"
    env.write_text(
        env.read_text().replace(
            "target_metadata = None",
            "\n".join(
                ["import sys", "target_metadata = sys.modules['example_sql_metadata'].metadata"]
            ),
        )
    )
    config = Config(stdout=StringIO())  # without the file, which sets up logging
    config.set_main_option("script_location", str(tmp_path / "migrations"))
    config.set_main_option("sqlalchemy.url", with_driver(url))
    command.revision(config, "all", autogenerate=True)
    command.upgrade(config, "head")
    with engine_of(url).connect() as connection:
        assert set(metadata.tables) <= set(inspect(connection).get_table_names())
    assert differences(url, metadata) == []
    made(url)  # finds them there
    sign_in_and_out(url)


def sign_in_and_out(url: str) -> None:
    """Use all that a store does."""
    clock = Clock()
    policy = Policy(max_sessions=2, sign_in_rate=Rate(9))
    sessions = BlockingSessions(store_from_url(url, blocking=True), policy=policy, clock=clock)
    token = None
    for _ in range(3):
        session = sessions.open(None)
        session.sign_in("alice")
        token = sessions.commit(session).token
    assert len(sessions.list("alice")) == 2
    session = sessions.open(token)
    session["cart"] = ["hat"]
    sessions.commit(session)
    assert sessions.end_all("alice") == 2
    clock.move(days=40)
    sessions.sweep()
    sessions.close()


def test_two_users_with_the_rights_that_the_page_gives(url: str) -> None:
    """One makes the tables; the application is the other, and can do all but that.

    Fails when a grant is missing, or gives more than is needed.
    """
    blocks = [statements(block) for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)]
    is_postgres = make_url(url).drivername == "postgresql"
    shop = in_database(url, "shop")
    once, each_time = blocks[:2] if is_postgres else blocks[2:]
    owner, application = (
        make_url(shop).set(username=name, password=password).render_as_string(hide_password=False)
        for name, password in (
            ("shop_owner", "made up by a generator"),
            ("shop", "and another one"),
        )
    )
    drop = ["DROP DATABASE shop", "DROP USER shop", "DROP USER shop_owner"]
    try:
        first = once.pop(0)
        assert first == "CREATE DATABASE shop"
        run(url, first)
        if is_postgres:
            assert once.pop(0) == "\\connect shop"
        run(shop, *once)
        for _ in range(2):  # as two deployments do
            made(owner)
            run(owner, *each_time)
        sign_in_and_out(application)
        report = examine(Order(store=application))
        assert {one.check for one in report.findings} <= {"latency", "persistence"}
        for more in (
            "DROP TABLE coatcheck_bars",
            "DELETE FROM coatcheck_version",
            "CREATE TABLE a (b INT)",
        ):
            with pytest.raises(DBAPIError):
                run(application, more)
        with pytest.raises(ConfigurationError, match="its user may not make tables"):
            made(f"{application}?prefix=another")
    finally:
        run(url, *drop)


def statements(block: str) -> list[str]:
    return [line.rstrip(";") for line in block.strip().splitlines()]


def test_an_audit_trail(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made(url)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUDIT_URL", url)
    module = load("audit_sql")
    with TestClient(module.app, HTTPS) as client:
        client.post("/login/alice")
    (query,) = re.findall(r"```sql\n(SELECT.*);\n```", AUDIT)
    with engine_of(url).connect() as connection:
        (row,) = connection.execute(text(query)).mappings()
    assert (row["event"], row["cause"], row["address"]) == (
        "session_created",
        "sign_in",
        "testclient",
    )
    assert "session_created" in Path("audit.log").read_text()
    module.trail.close()
