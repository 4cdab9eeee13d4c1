"""Real servers for the tests: started on free ports, stopped by process id."""

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator, Sequence
from pathlib import Path

import psycopg
import pytest

from coatcheck.stores.sql import SQLStore
from coatcheck.waiting import Kind, finish

_SHARE = 2_500
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
_PORTS = itertools.count(secrets.randbelow(_SHARE))


def free_port() -> int:
    """Return a port that nobody listens on, another one each time.

    It is below those that the system gives to clients and to who asks for any port, and no other
    worker's, so that nobody has it when a server that took its time comes to listen on it.
    """
    for number in itertools.islice(_PORTS, _SHARE):
        port = 10_000 + _WORKER * _SHARE + number % _SHARE
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def program(name: str, folder: str | None = None) -> str:
    """Return the path of a program; without it the tests fail, they never skip."""
    found = os.environ.get(name.upper()) or shutil.which(name, path=folder)
    if not found:
        pytest.fail(f"{name} is not installed: `make test` installs it, or apt-get install {name}")
    return found


def wait_for_port(
    port: int,
    process: "subprocess.Popen[bytes]",
    seconds: float = 60,
    host: str = "127.0.0.1",
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection((host, port), 2):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on {port}")


class Server:
    """A program that listens on a port of this machine.

    Args:
        folder: where it is at work, so that what it writes without being told where goes there.

    Attributes:
        ready: a command that succeeds once it serves, where it listens before that.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        folder: str | Path,
        user: str | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.command, self.port, self.folder, self.user = list(command), port, folder, user
        self.host = host
        self.ready: Sequence[str] = ["true"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self.command, stdout=subprocess.DEVNULL, user=self.user, cwd=self.folder
        )
        wait_for_port(self.port, self._process, host=self.host)
        while self._process.poll() is None and subprocess.run(self.ready, check=False).returncode:
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Generator[list[int]]:
        """Let none of its processes do anything, while the kernel still takes connections."""
        stopped = [self.pid]
        try:
            for pid in stopped:  # who is stopped starts no other
                os.kill(pid, signal.SIGSTOP)
                stopped += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            while not all(map(_stands_still, stopped)):  # a thread may run on for a moment
                time.sleep(0.001)
            yield stopped
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End all of it at once, as a loss of power does.

        Who kills PostgreSQL's first process alone is still answered by the others for a moment.
        """
        if self._process is not None and self._process.poll() is None:
            with self.frozen() as stopped:
                for pid in stopped:
                    os.kill(pid, signal.SIGKILL)
                while any(map(is_there, stopped)):
                    time.sleep(0.005)
        self.stop()


def _stands_still(pid: int) -> bool:
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(_state(each) in "TZ" for each in tasks)


def is_there(pid: int) -> bool:
    """Tell whether a process runs, or at least has not ended."""
    try:
        return _state(Path(f"/proc/{pid}/stat")) != "Z"
    except OSError:
        return False


def _state(stat: Path) -> str:
    """Return the letter of a process's or thread's state (proc(5))."""
    return stat.read_text().rpartition(")")[2].split()[0]


def scratch(disk: Path | None = None) -> "tempfile.TemporaryDirectory[str]":
    """Make a folder for the files of a server: in memory, where there is room.

    Servers are killed here, not machines, so that none needs a disk; a test may give it one.
    """
    memory = Path("/dev/shm")  # noqa: S108 - the folder has a name of its own
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > 2**30
    where = memory if has_room else None
    return tempfile.TemporaryDirectory(dir=disk or where, ignore_cleanup_errors=True)


@contextlib.contextmanager
def redis_server(*options: str) -> Generator[Server]:
    """A Redis with an append-only file, so that a restart finds what was acknowledged."""
    port = free_port()
    with scratch() as folder:
        command = [program("redis-server"), "--port", str(port), "--dir", folder, "--save", ""]
        command += ["--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always"]
        server = Server([*command, "--loglevel", "warning", *options], port, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def postgres_server(*options: str, disk: Path | None = None) -> Generator[Server]:
    """A PostgreSQL with a database and a user `postgres`, and no password."""
    port = free_port()
    with _folder_of("postgres", disk) as (folder, user):
        initdb = [postgres_program("initdb"), "--auth=trust", "--username=postgres"]
        initdb += ["--pgdata", folder, "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(initdb, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        command = [postgres_program("postgres"), "-D", folder, "-p", str(port)]
        command += ["-h", "127.0.0.1", "-k", "", "-c", "fsync=off", "-c", "max_connections=200"]
        command += ["-c", "log_min_messages=panic", *options]
        server = Server(command, port, folder, user)
        is_ready = postgres_program("pg_isready")
        server.ready = [is_ready, "--quiet", "--host=127.0.0.1", f"--port={port}"]
        server.start()
        _wait_for_postgres(port)
        try:
            yield server
        finally:
            server.stop(signal.SIGINT)


def postgres_program(name: str) -> str:
    """Return the path of a program of the newest PostgreSQL, whose programs are in no `PATH`."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    return program(name, str(folders[-1]) if folders else None)


def _wait_for_postgres(port: int) -> None:
    """It listens before it serves."""
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="postgres").close()
        except psycopg.OperationalError as error:
            if "starting up" not in str(error):
                raise
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def mariadb_server(*options: str) -> Generator[Server]:
    """A MariaDB with a database `test` and a user `coatcheck`, and no password."""
    port = free_port()
    with _folder_of("mysql") as (folder, user):
        install = [program("mariadb-install-db"), "--no-defaults", f"--datadir={folder}"]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        first = Path(folder, "first.sql")
        first.write_text(
            "CREATE DATABASE IF NOT EXISTS test;\n"
            "CREATE USER IF NOT EXISTS coatcheck@'127.0.0.1';\n"
            "GRANT ALL ON test.* TO coatcheck@'127.0.0.1';\n"
        )
        command = [program("mariadbd"), "--no-defaults", "--datadir", folder, "--port", str(port)]
        command += ["--bind-address", "127.0.0.1", "--socket", f"{folder}/s", "--init-file"]
        command += [str(first), "--innodb-flush-log-at-trx-commit=0", "--max-connections=200"]
        command += ["--skip-name-resolve", "--log-warnings=0", *options]
        server = Server(command, port, folder, user)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextlib.contextmanager
def _folder_of(name: str, disk: Path | None = None) -> Generator[tuple[str, str | None]]:
    """A folder of the user `name`, as databases refuse to run as root; else of our own."""
    user = name if os.geteuid() == 0 else None
    with scratch(disk) as folder:
        if user is not None:
            shutil.chown(folder, user, user)
        yield folder, user


def _version(programs: Path) -> float:
    return float(programs.parent.name)


def postgres_url(server: Server) -> str:
    return f"postgresql://postgres@127.0.0.1:{server.port}/postgres"


def mariadb_url(server: Server) -> str:
    return f"mysql://coatcheck@127.0.0.1:{server.port}/test"


def with_tables(url: str) -> str:
    """Add a prefix to a database's URL, and make the tables that it stands for."""
    url = f"{url}{'&' if '?' in url else '?'}prefix=t{uuid.uuid4().hex[:12]}"
    finish(SQLStore.from_url(url, kind=Kind.BLOCKING).create_tables())
    return url


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'sessions.db'}"
