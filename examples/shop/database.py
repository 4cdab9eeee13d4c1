"""A PostgreSQL or MariaDB of one's own, for as long as the shop runs: STORE=postgresql, mariadb."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from coatcheck.cli import made_tables
from coatcheck.errors import StoreUnavailable
from examples.shop.fleet import START, FleetError
from examples.shop.ports import free_ports

STORES: Final = ("postgresql", "mariadb")
_SQL: Final = ("postgresql", "mysql", "mariadb")


@contextlib.contextmanager
def reached(store: str, *more: str) -> Generator[str]:
    """Give the URL of a store, with its tables if it is an SQL database.

    Starts one where `store` is only its name, in a folder that goes with it.

    Args:
        more: options of the server.

    Raises:
        FleetError: it is not installed, or does not start.
        CoatcheckError: the tables cannot be made.
    """
    if store in STORES:
        with _folder() as folder, _running(store, folder, more) as url:
            yield url
    else:
        if store.partition(":")[0].partition("+")[0] in _SQL:
            made_tables.make(store)
        yield store


@contextlib.contextmanager
def _running(store: str, folder: Path, more: Sequence[str]) -> Generator[str]:
    (port,) = free_ports(1)
    make, command, url = (_postgresql if store == "postgresql" else _mariadb)(folder, port)
    user = folder.owner() if os.geteuid() == 0 else None
    with (folder / "log").open("wb") as log:
        made = subprocess.run(make, user=user, cwd="/", stdout=log, stderr=log, check=False)
        if made.returncode:
            raise FleetError(f"{make[0]} failed: {_last(folder)}")
        server = subprocess.Popen(
            [*command, *more], user=user, cwd="/", stdout=log, stderr=log, start_new_session=True
        )
        try:
            _make_tables(url, server, folder)
            yield url
        finally:
            server.send_signal(signal.SIGINT if store == "postgresql" else signal.SIGTERM)
            server.wait()


def _make_tables(url: str, server: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + START
    while True:
        try:
            made_tables.make(url)
        except StoreUnavailable as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise FleetError(f"the database did not start: {_last(folder)}") from error
            time.sleep(0.05)
        else:
            return


def _postgresql(folder: Path, port: int) -> tuple[list[str], list[str], str]:
    programs = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    where = str(programs[-1]) if programs else None
    make = [_program("initdb", where), "--auth=trust", "--username=shop", "--no-sync"]
    command = [_program("postgres", where), "-D", f"{folder}/data", "-p", str(port), "-k", ""]
    command += ["-h", "127.0.0.1", "-c", "max_connections=200"]
    return [*make, "-D", f"{folder}/data"], command, f"postgresql://shop@127.0.0.1:{port}/postgres"


def _mariadb(folder: Path, port: int) -> tuple[list[str], list[str], str]:
    data = ["--no-defaults", f"--datadir={folder}/data"]
    make = [_program("mariadb-install-db"), *data, "--auth-root-authentication-method=normal"]
    first = folder / "first.sql"
    first.write_text(
        "CREATE DATABASE IF NOT EXISTS shop;\n"
        "CREATE USER IF NOT EXISTS shop@'127.0.0.1';\n"
        "GRANT ALL ON shop.* TO shop@'127.0.0.1';\n"
    )
    command = [_program("mariadbd"), *data, f"--port={port}", "--bind-address=127.0.0.1"]
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


def _program(name: str, where: str | None = None) -> str:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    if (found := shutil.which(name, path=where or path)) is None:
        raise FleetError(f"{name} is not installed")
    return found


def _last(folder: Path) -> str:
    lines = (folder / "log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it did not say why"
