"""The demonstration as `make demo` runs it: a parent, three servers and a balancer."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx2
import pytest

from examples.shop.browser import Browser
from examples.shop.users import DEMO_PASSWORDS
from tests.redis_topologies import until
from tests.servers import Server, free_port, is_there

DEMO: Final = (sys.executable, "-m", "examples.shop.demo")
PATIENCE: Final = 100  # seconds until a test gives up
EXPECTED: Final = "development mode: plain HTTP"  # each server's one warning
LAST_LINE: Final = "Ctrl-C closes the shop."


class Demo:
    """A demo that is open; what it said on the way is in `opening`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.opening = ""
        while LAST_LINE not in self.opening:
            self.opening += self.next_line()

    @property
    def url(self) -> str:
        """The balancer's address."""
        found = re.search(r"open at (http:\S+)", self.opening)
        assert found
        return found[1]

    @property
    def servers(self) -> dict[str, int]:
        """Process ids, by the servers' addresses."""
        found = re.findall(r"(http:\S+)\s+\(process (\d+)\)", self.opening)
        return {url: int(pid) for url, pid in found}

    def next_line(self) -> str:
        """Wait for its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the demo ended"
        return line

    def send(self, number: int) -> None:
        """Send a signal to its process group: a terminal's Ctrl-C reaches all of a group."""
        os.killpg(self._process.pid, number)

    def end(self) -> tuple[int, str, str]:
        """Wait until it and all its children have ended; return exit code, stdout and complaints.

        Its stderr is theirs as well, so that its end is read only when the last of them is gone.
        """
        stdout, stderr = self._process.communicate(timeout=PATIENCE)
        lines = [line for line in stderr.splitlines() if EXPECTED not in line]
        return self._process.returncode, stdout, "\n".join(lines)


@contextmanager
def open_demo(folder: Path, store: str = "") -> Generator[Demo]:
    """Open the demo on a free port, its files in `folder`; close it, should a test not have."""
    with subprocess.Popen(
        DEMO,
        env=_environment(folder, str(free_port()), store),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Demo(process)
        finally:
            process.kill()


def refused(folder: Path, *, port: str, store: str = "") -> tuple[int, str, str]:
    """Run a demo that does not open; return exit code, stdout and stderr."""
    done = subprocess.run(
        DEMO,
        env=_environment(folder, port, store),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def _environment(folder: Path, port: str, store: str) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(folder), "PORT": port, "STORE": store}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_it_serves_until_it_is_told_to_stop_and_leaves_no_process(
    kind: str, number: int, redis: Server, tmp_path: Path
) -> None:
    store = f"redis://127.0.0.1:{redis.port}/3" if kind == "redis" else ""
    with open_demo(tmp_path, store) as demo:
        servers = demo.servers
        assert len(servers) == 3
        for url in (demo.url, *servers):
            assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
        with Browser(demo.url) as browser:
            added = browser.ask("POST", "/cart/items", {"product_id": 456})
            assert browser.ask("GET", "/cart").fields == added.fields
        demo.send(number)
        assert demo.end() == (0, "\nThe shop is closed.\n", "")
    assert not any(map(is_there, servers.values()))
    assert (tmp_path / "coatcheck-shop" / "shop.db").exists() == (kind == "sqlite")


@pytest.mark.parametrize("store", ["sentinel", "cluster"])
def test_servers_of_its_own_end_with_it_and_leave_nothing(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is at work in a folder of the demo's. Fails when one of them stays, or its folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with open_demo(tmp_path / "state", store) as demo:
        assert len(at_work_in(tmp_path)) >= 5
        with Browser(demo.url) as browser:
            assert browser.ask("POST", "/cart/items", {"product_id": 456}).status == 200
        demo.send(signal.SIGINT)
        assert demo.end() == (0, "\nThe shop is closed.\n", "")
    assert at_work_in(tmp_path) == []
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def at_work_in(folder: Path) -> list[Path]:
    """Return the folders under `folder` that some process is at work in."""
    found: list[Path] = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            found.append(link.readlink())
    return [each for each in found if each.is_relative_to(folder)]


def test_killed_it_leaves_no_process_behind(tmp_path: Path) -> None:
    with open_demo(tmp_path) as demo:
        demo.send(signal.SIGKILL)
        assert demo.end() == (-signal.SIGKILL, "", "")  # it would not return, lived one of them on
        for url in (demo.url, *demo.servers):
            with pytest.raises(httpx2.ConnectError):
                httpx2.get(f"{url}/health")


@pytest.mark.parametrize("store", ["sentinel", "postgresql"])
def test_killed_it_takes_servers_of_its_own_with_it(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when they are let go of, and not held by a pipe."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # for the user that a database is at work as, where we are root
        monkeypatch.setenv("TMPDIR", name)
        with open_demo(folder / "state", store) as demo:
            assert at_work_in(folder)
            demo.send(signal.SIGKILL)
            until(lambda: not at_work_in(folder))


def test_a_server_that_is_killed_is_reported_and_nobody_is_logged_out(tmp_path: Path) -> None:
    with open_demo(tmp_path) as demo, Browser(demo.url) as browser:
        alice = {"username": "alice", "password": DEMO_PASSWORDS["alice"]}
        assert browser.ask("POST", "/login", alice).status == 200
        os.kill(next(iter(demo.servers.values())), signal.SIGKILL)
        assert demo.next_line() == "A has stopped.\n"
        answers = [browser.ask("GET", "/me") for _ in range(6)]
        assert [answer.fields["subject"] for answer in answers] == ["alice"] * 6
        assert {answer.server for answer in answers} == {"B", "C"}
        demo.send(signal.SIGTERM)
        assert demo.end()[0] == 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = f"Port {port} is taken; choose another, as in: PORT=8010 make demo\n"
        assert refused(tmp_path, port=str(port)) == (1, "", sentence)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "eighty", ""])
def test_a_port_that_is_none_is_refused(port: str, tmp_path: Path) -> None:
    sentence = f"PORT is {port!r}; it must be a number from 1 to 65535.\n"
    assert refused(tmp_path, port=port) == (1, "", sentence)


def test_a_store_that_one_process_has_for_itself_is_refused(tmp_path: Path) -> None:
    sentence = "The shop did not open: 3 servers cannot share memory:, the memory of one process.\n"
    assert refused(tmp_path, port=str(free_port()), store="memory:") == (1, "", sentence)


def test_a_store_that_does_not_exist_is_named(tmp_path: Path) -> None:
    code, stdout, stderr = refused(tmp_path, port=str(free_port()), store="mongodb://localhost")
    assert (code, stdout) == (1, "")
    assert "The shop did not open: its store cannot be used" in stderr
    assert "names no known store" in stderr
    assert "Traceback" not in stderr


def test_a_store_that_is_not_there_is_said_and_nothing_opens(tmp_path: Path) -> None:
    code, stdout, stderr = refused(tmp_path, port=str(free_port()), store="redis://127.0.0.1:1")
    assert (code, stdout) == (1, "")
    assert "The shop did not open: its store cannot be used: Redis" in stderr
    assert "Traceback" not in stderr
