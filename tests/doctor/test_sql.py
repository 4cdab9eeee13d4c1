"""What is wrong with an SQL database: planted in real ones."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from coatcheck import Sessions, store_from_url
from coatcheck.doctor.checks import sql_access, sql_durability, sql_version, sweeping
from coatcheck.doctor.examination import examine
from coatcheck.doctor.failure import CannotRun
from coatcheck.doctor.finding import Severity
from coatcheck.doctor.order import Order
from coatcheck.doctor.report import Report
from coatcheck.doctor.sql_facts import MANY, SQLFacts, ask, is_sql
from coatcheck.testing import make_record
from coatcheck.waiting import finish
from tests.docs.test_examples import EXAMPLES
from tests.doctor.conftest import coatcheck
from tests.servers import (
    free_port,
    mariadb_server,
    mariadb_url,
    postgres_server,
    postgres_url,
    redis_server,
    with_tables,
)

PASSWORD = "hunter2-of-sql"
POSTGRESQL, MARIADB = ("-c", "fsync=on"), ("--innodb-flush-log-at-trx-commit=1",)


def run(url: str, *statements: str) -> None:
    parts = make_url(url).difference_update_query(["prefix"])
    driver = "psycopg" if parts.drivername == "postgresql" else "pymysql"
    engine = create_engine(parts.set(drivername=f"{parts.drivername}+{driver}"), poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def postgresql(*options: str) -> Generator[str]:
    """A good one, and the URL of a user who may read and change the tables."""
    with postgres_server(*POSTGRESQL, *options) as server:
        url = with_tables(postgres_url(server))
        rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
        run(url, f"CREATE USER shop PASSWORD '{PASSWORD}'", f"GRANT {rights} TO shop")
        yield url.replace("postgres@", f"shop:{PASSWORD}@", 1)


@contextmanager
def mariadb(*options: str) -> Generator[str]:
    with mariadb_server(*MARIADB, *options) as server:
        url = with_tables(mariadb_url(server))
        user = "shop@'127.0.0.1'"
        run(
            url.replace("coatcheck@", "root@"),
            f"CREATE USER {user} IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON test.* TO {user}",
        )
        yield url.replace("coatcheck@", f"shop:{PASSWORD}@")


def looked_at(url: str) -> Report:
    return examine(Order(store=url))


def seen(report: Report) -> set[tuple[str, Severity]]:
    """All findings but how fast this machine is today."""
    return {(one.check, one.severity) for one in report.findings if one.check != "latency"}


def planted(report: Report) -> set[str]:
    return {check for check, severity in seen(report) if severity is not Severity.INFO}


def facts_of(url: str) -> SQLFacts:
    store = store_from_url(url, blocking=True)
    assert is_sql(store)
    try:
        return finish(ask(store))
    finally:
        finish(store.close())


def test_a_good_postgresql_and_what_is_planted_in_it(tmp_path: Path) -> None:
    with postgresql() as url:
        administrator = url.replace(f"shop:{PASSWORD}@", "postgres@")
        report = looked_at(url)
        assert seen(report) == set()
        checks = {"persistence", "store-access", "store-version", "sql-tables", "sweeping", "clock"}
        assert checks <= set(report.checked)
        assert (
            looked_at(url.replace("postgresql:", "postgresql+asyncpg:")).checked == report.checked
        )
        done = coatcheck("doctor", "--store", url, "--fail-on", "error", cwd=tmp_path)
        assert done.returncode == 0
        assert PASSWORD not in done.stdout + done.stderr
        assert planted(looked_at(administrator)) == {"store-access"}
        prefix = make_url(url).query["prefix"]
        newer = f"UPDATE {prefix}_version SET version = 99"  # noqa: S608
        run(administrator, newer)
        assert planted(looked_at(url)) == {"sql-tables"}
        run(administrator, f"REVOKE SELECT ON {prefix}_version FROM shop")  # noqa: S608
        assert (
            "is not known" in {one.check: one.what for one in looked_at(url).findings}["sql-tables"]
        )
        with pytest.raises(CannotRun, match="no tables yet"):
            looked_at(f"{url}x")
        with pytest.raises(CannotRun, match="nothing listens there: see that it runs"):
            looked_at(f"postgresql://shop:{PASSWORD}@127.0.0.1:{free_port()}/test")


def test_a_good_mariadb_and_what_is_planted_in_it() -> None:
    with mariadb() as url:
        report = looked_at(url)
        assert seen(report) == set()
        assert planted(looked_at(url.replace(f"shop:{PASSWORD}@", "root@"))) == {"store-access"}
        owner = looked_at(url.replace(f"shop:{PASSWORD}@", "coatcheck@"))
        assert seen(owner) == {("store-access", Severity.INFO)}
        with pytest.raises(CannotRun, match="it refuses the user: see user and password") as wrong:
            looked_at(url.replace(PASSWORD, "hunter2-is-wrong"))
        assert "hunter2" not in str(wrong.value)
        facts = facts_of(url)
    assert (facts.product, facts.is_encrypted, facts.commit) == ("MariaDB", False, "1")


def test_databases_that_do_not_wait_for_the_disk() -> None:
    with postgresql("-c", "fsync=off") as url:
        assert planted(looked_at(url)) == {"persistence"}
    with mariadb("--innodb-flush-log-at-trx-commit=0") as url:
        assert planted(looked_at(url)) == {"persistence"}


def test_the_store_of_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver is one for asyncio, and what expired long ago is still there."""
    with postgresql("-c", "synchronous_commit=off") as url:
        store = store_from_url(url, blocking=True)
        finish(store.save(make_record(seen_at=0, idle=1), None))
        finish(store.close())
        module = type(pytest)("site_of_sql")
        module.sessions = Sessions(store_from_url(url))  # type: ignore[attr-defined]
        monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
        report = examine(Order(sessions="site_of_sql:sessions"))
    found = {one.check: one.severity for one in report.findings}
    assert found["sweeping"] is found["persistence"] is Severity.INFO


@contextmanager
def redis() -> Generator[str]:
    with redis_server() as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.mark.parametrize("database", [postgresql, mariadb, redis])
def test_connections_of_an_application_are_let_go_of(
    database: Callable[[], AbstractContextManager[str]], tmp_path: Path
) -> None:
    """It has no lifespan that would do it.

    Fails when `AsgiCaller` does not close its sessions: drivers complain of another event loop.
    """
    with database() as url:
        hello = (EXAMPLES / "hello.py").read_text().replace("sqlite:///hello.db", url)
        (tmp_path / "hello.py").write_text(hello)
        sign = ("--login-url", "/login", "--logout-url", "/logout", "--page", "/me")
        done = coatcheck("doctor", "hello:app", *sign, "--fail-on", "error", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "latency" in done.stdout


FACTS = SQLFacts("MySQL", "127.0.0.1", "8.4.2", False, False, False, 1)


def test_over_a_network_tls_is_needed() -> None:
    assert list(sql_access.check(FACTS, "store")) == []
    assert list(sql_access.check(replace(FACTS, host="10.0.0.7", is_encrypted=True), "store")) == []
    for is_encrypted in (False, None):
        far = replace(FACTS, host="10.0.0.7", is_encrypted=is_encrypted)
        assert [one.severity for one in sql_access.check(far, "store")] == [Severity.ERROR]


@pytest.mark.parametrize(
    ("product", "release", "is_old"),
    [
        ("MySQL", "5.7.44", True),
        ("MySQL", "8.4.2", False),
        ("MariaDB", "10.5.9-MariaDB", True),
        ("MariaDB", "10.11.6-MariaDB-0+deb12u1", False),
        ("PostgreSQL", "12.4 (Debian)", True),
        ("PostgreSQL", "15.1", False),
    ],
)
def test_an_old_database_is_found(product: str, release: str, is_old: bool) -> None:
    facts = replace(FACTS, product=product, release=release)
    assert bool(list(sql_version.check(facts, "s"))) is is_old


def test_what_else_is_judged() -> None:
    assert list(sql_durability.check(FACTS, "s")) == []
    assert [*sweeping.check(replace(FACTS, late=0), "s")] == []
    (found,) = sweeping.check(replace(FACTS, late=MANY), "s")
    assert found.severity is Severity.WARNING
    (found,) = sql_durability.check(replace(FACTS, commit="2"), "s")
    assert found.severity is Severity.INFO
