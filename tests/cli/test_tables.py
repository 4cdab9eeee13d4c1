"""`coatcheck tables`: what it makes, what it says, and that it says no password."""

from collections.abc import Generator
from pathlib import Path
from signal import SIGINT

import pytest
from sqlalchemy import Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner, Result

from coatcheck import BlockingSessions, store_from_url
from coatcheck.cli.commands import app
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.stores.sql import SQLStore
from coatcheck.stores.sql.schema import VERSION, bring_up_to_date
from coatcheck.waiting import Kind, finish
from tests.doctor.conftest import coatcheck
from tests.servers import Server, free_port, mariadb_url, postgres_server, postgres_url

PASSWORD = "hunter2-of-sql"


def tables(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tables", *arguments])


@pytest.fixture(params=["postgresql", "mariadb"])
def url(request: pytest.FixtureRequest) -> Generator[str]:
    """A database that has no tables of the prefix yet."""
    if request.param == "postgresql":
        url = postgres_url(request.getfixturevalue("postgres"))
    else:
        url = mariadb_url(request.getfixturevalue("mariadb"))
    yield f"{url}?prefix=cli"
    run(url, *(f"DROP TABLE {name}" for name in made(url)))


def engine(url: str) -> Engine:
    parts = make_url(url).difference_update_query(["prefix"])
    driver = "psycopg" if parts.drivername == "postgresql" else "pymysql"
    return create_engine(parts.set(drivername=f"{parts.drivername}+{driver}"), poolclass=NullPool)


def made(url: str) -> list[str]:
    with engine(url).connect() as connection:
        return made_in(connection)


def made_in(connection: Connection) -> list[str]:
    names = inspect(connection).get_table_names()
    return sorted(name for name in names if name.startswith("cli"))


def run(url: str, *statements: str) -> None:
    with engine(url).begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_they_are_made_once(url: str, tmp_path: Path) -> None:
    first, again = (coatcheck("tables", url, cwd=tmp_path) for _ in range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert sorted(first.stdout.split()[1::2]) == made(url)
    assert len(made(url)) >= 4
    assert (again.returncode, again.stdout, again.stderr) == (0, "nothing to do\n", "")


def test_the_driver_of_the_application_is_not_asked_for(url: str) -> None:
    scheme, _, rest = url.partition(":")
    asyncio = "asyncpg" if scheme == "postgresql" else "asyncmy"
    assert tables(f"{scheme}+{asyncio}:{rest}").exit_code == 0
    assert made(url)


def test_what_is_missing_is_made(url: str) -> None:
    """MySQL undoes no table; whoever was interrupted begins again."""
    tables(url)
    run(url, "DROP TABLE cli_bars", "DELETE FROM cli_version")
    assert tables(url).output == "made cli_bars\n"
    assert tables(url).output == "nothing to do\n"


def test_steps_are_taken_in_order(url: str) -> None:
    tables(url)
    steps = {
        VERSION + 1: ["ALTER TABLE {sessions} RENAME COLUMN first TO last"],
        VERSION: ["ALTER TABLE {sessions} ADD COLUMN first INT", "DELETE FROM {counters}"],
    }
    with engine(url).begin() as connection:
        said = bring_up_to_date(connection, "cli", steps)
    assert said == [f"brought up to version {VERSION + number}" for number in (1, 2)]
    with engine(url).begin() as connection:
        columns = inspect(connection).get_columns("cli_sessions")
        assert "last" in {column["name"] for column in columns}
        assert bring_up_to_date(connection, "cli", steps) == []


def test_new_tables_are_of_the_last_version(url: str) -> None:
    with engine(url).begin() as connection:
        steps = {VERSION: ["no statement at all"]}
        assert len(bring_up_to_date(connection, "cli", steps)) == len(made_in(connection))
        assert bring_up_to_date(connection, "cli", steps) == []


def test_those_of_a_newer_version_are_left_alone(url: str) -> None:
    tables(url)
    run(url, "UPDATE cli_version SET version = version + 1")
    result = tables(url)
    assert result.exit_code == 2
    assert f"of version {VERSION + 1}, made by a newer coatcheck" in result.stderr
    assert result.stdout == ""


def test_the_statements_make_the_same(url: str) -> None:
    printed = tables(url, "--sql")
    assert printed.exit_code == 0
    assert made(url) == []
    run(url, *printed.stdout.replace(";\n", "\n").splitlines())
    assert tables(url).output == "nothing to do\n"
    sessions = BlockingSessions(store_from_url(url, blocking=True))
    session = sessions.open(None)
    session.sign_in("alice")
    assert sessions.commit(session).token is not None
    sessions.close()


def test_a_user_without_the_right_is_refused(url: str, postgres: Server, mariadb: Server) -> None:
    database = make_url(url).database
    if url.startswith("postgresql"):
        administrator = postgres_url(postgres)
        run(administrator, f"CREATE USER clerk PASSWORD '{PASSWORD}'")
        mine = url.replace("postgres@", f"clerk:{PASSWORD}@")
    else:
        administrator = f"mysql://root@127.0.0.1:{mariadb.port}/test"
        run(
            administrator,
            f"CREATE USER clerk@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON {database}.* TO clerk@'127.0.0.1'",
        )
        mine = url.replace("coatcheck@", f"clerk:{PASSWORD}@")
    try:
        result = tables(mine)
    finally:
        run(administrator, "DROP USER clerk" + ("" if administrator[0] == "p" else "@'127.0.0.1'"))
    assert result.exit_code == 2
    assert "its user may not make tables" in result.stderr
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://shop:{password}@127.0.0.1:{port}/shop", "nothing listens there"),
        ("postgresql://shop:{password}@nowhere.invalid/shop", "its host is not known"),
        ("postgresql://shop:{password}@/shop?host=/nowhere", "nothing listens there"),
        ("mysql://shop:{password}@127.0.0.1:{port}/shop", "see that it runs"),
        ("mysql://shop:{password}@nowhere.invalid/shop", "its host is not known"),
        ("mysql://shop:{password}@127.0.0.1:x/shop", "is no URL of a database"),
        ("redis://:{password}@127.0.0.1/0", "names no database that is supported"),
        ("{password}", "is no URL of a database"),
        ("postgresql+none://a:{password}@127.0.0.1:{port}/a", "see that it runs"),
        ("mysql://a:{password}@127.0.0.1/a?pool_size=none", "pool_size must be a number"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(url: str, said: str, tmp_path: Path) -> None:
    done = coatcheck("tables", url.format(password=PASSWORD, port=free_port()), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert PASSWORD not in done.stderr


def test_a_wrong_password_is_not_repeated(mariadb: Server) -> None:
    result = tables(f"mysql://root:{PASSWORD}@127.0.0.1:{mariadb.port}/test")
    assert result.exit_code == 2
    assert "it refuses the user: see user and password" in result.stderr
    assert PASSWORD not in result.output


@pytest.fixture(scope="module")
def strict() -> Generator[Server]:
    """A PostgreSQL that asks some of its users for a password, and does not know others."""
    with postgres_server() as server:
        hba = Path(server.folder, "pg_hba.conf")
        asked = [f"host all {user} 127.0.0.1/32 scram-sha-256" for user in ("shop", "ghost")]
        trusted = [f"host all {user} 127.0.0.1/32 trust" for user in ("postgres", "nobody")]
        trusted += ["host all clerk 127.0.0.1/32 trust", "hostssl all spy 127.0.0.1/32 trust"]
        hba.write_text("\n".join([*asked, *trusted, ""]))
        server.stop(SIGINT)
        server.start()
        run(
            postgres_url(server),
            f"CREATE USER shop PASSWORD '{PASSWORD}'",
            "CREATE USER clerk NOLOGIN",
            "CREATE USER spy",
        )
        alone = create_engine(postgres_url(server).replace(":", "+psycopg:", 1))
        with alone.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text("CREATE DATABASE closed"))
            connection.execute(text("REVOKE CONNECT ON DATABASE closed FROM PUBLIC"))
        alone.dispose()
        yield server


@pytest.mark.parametrize(
    ("who", "database", "said"),
    [
        ("shop:wrong", "postgres", "it refuses the user"),
        ("ghost:wrong", "postgres", "it refuses the user"),
        ("clerk", "postgres", "it refuses the user"),
        ("shop", "postgres", "it wants a password"),
        ("nobody", "postgres", "it has no such user"),
        ("spy", "postgres", "see its pg_hba.conf"),
        ("postgres", "missing", "it has no such database"),
        (f"shop:{PASSWORD}", "closed", "this user may not enter that database"),
        ("postgres", "postgres?sslmode=require", "there is no TLS"),
    ],
)
def test_why_postgresql_let_nobody_in(strict: Server, who: str, database: str, said: str) -> None:
    """psycopg has no code for it.

    Fails when the text of its error is not looked at, or is repeated.
    """
    result = tables(f"postgresql://{who}@127.0.0.1:{strict.port}/{database}")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    for secret in (PASSWORD, "wrong", "FATAL", str(strict.port)):
        assert secret not in result.output


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:{port}/postgres?sslmode=require", "there is no TLS"),
        ("nowhere.invalid/postgres", "its host is not known"),
        ("127.0.0.1:{other}/postgres", "see that it runs"),
    ],
)
async def test_why_asyncpg_did_not_get_in(strict: Server, address: str, said: str) -> None:
    """These have no code either."""
    address = address.format(port=strict.port, other=free_port())
    store = store_from_url(f"postgresql://postgres:{PASSWORD}@{address}")
    with pytest.raises(StoreUnavailable, match=said) as raised:
        await store.load("none")
    assert PASSWORD not in str(raised.value)
    await store.close()


def test_what_the_server_says_counts_more_than_another_address(strict: Server) -> None:
    url = f"postgresql://shop:wrong@/postgres?host=127.0.0.1:{free_port()}"
    result = tables(f"{url}&host=127.0.0.1:{strict.port}")
    assert "it refuses the user" in result.stderr


def test_without_tables_it_is_said_what_makes_them(url: str) -> None:
    """Without any, what to do is said by the first request."""
    store = SQLStore.from_url(url, kind=Kind.BLOCKING)
    with pytest.raises(ConfigurationError, match="`coatcheck tables URL` makes them"):
        finish(store.load("none"))
    finish(store.close())
