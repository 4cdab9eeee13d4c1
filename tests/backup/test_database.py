"""What `coatcheck export` and `import` say to do about a database, and never its password."""

import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from coatcheck import Keyring
from tests.backup.filled import of_alice
from tests.backup.test_command import fill, run
from tests.servers import (
    Server,
    free_port,
    mariadb_server,
    mariadb_url,
    postgres_server,
    postgres_url,
    with_tables,
)

PASSWORD = "hunter2-of-clerk"
HOSTS = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
KEY = Keyring.new_key()
USER, DATABASE = "it refuses the user: see user and password", "it has no such database"
PORT, RIGHT = "it does not answer: see that it runs, and host and port", "its user lacks a right"
TABLES = "has no tables yet: `coatcheck tables URL` makes them"


@pytest.fixture(scope="module")
def postgres() -> Generator[Server]:
    """One that asks for a password, of everybody but its administrator."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "hosts").write_text(HOSTS)
        with postgres_server("-c", f"hba_file={folder / 'hosts'}") as server:
            with psycopg.connect(postgres_url(server), autocommit=True) as connection:
                connection.execute(f"CREATE USER clerk PASSWORD '{PASSWORD}'".encode())
            yield server


@pytest.fixture(scope="module")
def mariadb() -> Generator[Server]:
    with mariadb_server() as server:
        engine = create_engine(f"mysql+pymysql://root@127.0.0.1:{server.port}", poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE USER clerk@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"))
            connection.execute(text("GRANT CREATE ON test.* TO clerk@'127.0.0.1'"))
        yield server


def urls_of(postgres: Server, mariadb: Server) -> dict[str, str]:
    return {
        "postgresql": f"postgresql://clerk:{{}}@127.0.0.1:{postgres.port}/",
        "mysql": f"mysql://clerk:{{}}@127.0.0.1:{mariadb.port}/",
    }


@pytest.mark.parametrize("database", ["postgresql", "mysql"])
@pytest.mark.parametrize("command", ["export", "import"])
def test_each_trouble_has_its_advice(
    postgres: Server, mariadb: Server, path: Path, tmp_path: Path, command: str, database: str
) -> None:
    """Fails when the errors of a database are named only."""
    if command == "import":
        source = f"sqlite:///{tmp_path / 'source.db'}"
        fill(source, of_alice(3))
        assert run("export", path, "--store", source, keys=KEY).exit_code == 0
    is_postgres = database == "postgresql"
    there = "postgres" if is_postgres else "test"
    url = urls_of(postgres, mariadb)[database]
    good = url.format(PASSWORD)
    made = with_tables(postgres_url(postgres) if is_postgres else mariadb_url(mariadb))
    prefix = made.rpartition("?")[2]
    missing = good + there if is_postgres else mariadb_url(mariadb)
    troubles = {
        f"{url.format('wrong')}{there}": USER,
        f"{good}nowhere": DATABASE,
        f"{database}://clerk:{PASSWORD}@127.0.0.1:{free_port()}/{there}": PORT,
        f"{missing}?prefix=none": TABLES,
        f"{good}{there}?{prefix}": RIGHT,
    }
    for wrong, said in troubles.items():
        done = run(command, path, store=wrong, keys=KEY)
        assert (done.exit_code, done.stdout) == (2, "")
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
        assert PASSWORD not in done.stderr
        assert "wrong" not in done.stderr
        assert not path.with_name(path.name + ".part").exists(), "nothing to go on with"


def test_a_url_of_the_application_may_name_its_driver(postgres: Server, path: Path) -> None:
    """Fails when the command takes the driver for threads into its event loop."""
    url = with_tables(postgres_url(postgres)).replace("postgresql", "postgresql+psycopg")
    assert run("export", path, "--store", url, keys=KEY).exit_code == 0


def test_without_a_key_the_command_for_one_is_named(path: Path) -> None:
    """As `coatcheck key` is there."""
    done = run("export", path, "--store", "sqlite:///no.db")
    assert "make one with `coatcheck key`" in done.stderr
    made = run("key").stdout.strip()
    assert "no.db is no file" in run("export", path, "--store", "sqlite:///no.db", keys=made).stderr
