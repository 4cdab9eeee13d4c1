"""A PostgreSQL or MariaDB of one's own, for as long as the shop runs."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from coatcheck.cli import made_tables
from coatcheck.errors import StoreUnavailable
from examples.shop.fleet import START, FleetError
from examples.shop.ports import free_ports
from examples.shop.program import find, last_words, run, running


@contextlib.contextmanager
def database(name: str, *more: str) -> Generator[str]:
    """Start one, and give its URL; the tables are made.

    Args:
        name: `postgresql` or `mariadb`.
        more: options of the server.

    Raises:
        FleetError: it is not installed, or does not start.
    """
    (port,) = free_ports(1)
    with _folder() as folder:
        is_postgresql = name == "postgresql"
        make, command, url = (_postgresql if is_postgresql else _mariadb)(folder, port)
        user = folder.owner() if os.geteuid() == 0 else None
        run(make, folder, user)
        end = "INT" if is_postgresql else "TERM"
        with running([*command, *more], port, folder, user=user, end=end) as server:
            _make_tables(url, server, folder)
            yield url


def _make_tables(url: str, server: "subprocess.Popen[bytes]", folder: Path) -> None:
    """It listens before it serves."""
    deadline = time.monotonic() + START
    while True:
        try:
            made_tables.make(url)
        except StoreUnavailable as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise FleetError(f"the database did not start: {last_words(folder)}") from error
            time.sleep(0.05)
        else:
            return


def _postgresql(folder: Path, port: int) -> tuple[list[str], list[str], str]:
    programs = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    where = str(programs[-1]) if programs else None
    make = [find("initdb", where), "--auth=trust", "--username=shop", "--no-sync"]
    command = [find("postgres", where), "-D", f"{folder}/data", "-p", str(port), "-k", ""]
    command += ["-h", "127.0.0.1", "-c", "max_connections=200"]
    return [*make, "-D", f"{folder}/data"], command, f"postgresql://shop@127.0.0.1:{port}/postgres"


def _mariadb(folder: Path, port: int) -> tuple[list[str], list[str], str]:
    data = ["--no-defaults", f"--datadir={folder}/data"]
    make = [find("mariadb-install-db"), *data, "--auth-root-authentication-method=normal"]
    first = folder / "first.sql"
    first.write_text(
        "CREATE DATABASE IF NOT EXISTS shop;\n"
        "CREATE USER IF NOT EXISTS shop@'127.0.0.1';\n"
        "GRANT ALL ON shop.* TO shop@'127.0.0.1';\n"
    )
    command = [find("mariadbd"), *data, f"--port={port}", "--bind-address=127.0.0.1"]
    command += [f"--socket={folder}/s", f"--init-file={first}", "--skip-name-resolve"]
    return make, [*command, "--max-connections=200"], f"mariadb://shop@127.0.0.1:{port}/shop"


@contextlib.contextmanager
def _folder() -> Generator[Path]:
    """A folder of ours; of whoever may run databases, where we are root: they refuse to be it."""
    with tempfile.TemporaryDirectory(prefix="coatcheck-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            for user in ("postgres", "mysql", "nobody"):
                with contextlib.suppress(LookupError):
                    shutil.chown(name, user)
                    break
        yield Path(name)
