"""The units, by systemd's own checks; test_restarts runs the servers by the unit's command."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.shipped import DEPLOY, settings, shipped
from tests.servers import program

PROGRAM = "/srv/shop/current/venv/bin/uvicorn"
EXPOSURE = 20  # in tenths: systemd counts from 0 to 10, and calls what is below 2.5 well protected


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that exists; systemd looks for it."""
    service = shipped("systemd/shop@.service", {PROGRAM: (sys.executable, 1)})
    (tmp_path / "shop@.service").write_text(service)
    (tmp_path / "shop.target").write_text(shipped("systemd/shop.target", {}))
    return tmp_path


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [program("systemd-analyze"), "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("unit", ["shop@.service", "shop@1.service", "shop.target"])
def test_systemd_understands_them(units: Path, unit: str) -> None:
    """A key that it does not know is only a warning to systemd; here it fails."""
    if unit == "shop@1.service":
        (units / unit).symlink_to(units / "shop@.service")
    done = analyze("verify", "--man=no", str(units / unit))
    ours = [line for line in done.stderr.splitlines() if "shop" in line]
    assert (done.returncode, ours) == (0, [])


def test_a_server_that_is_broken_into_can_do_little(units: Path) -> None:
    limit = f"--threshold={EXPOSURE}"
    done = analyze("security", "--offline=yes", limit, str(units / "shop@.service"))
    assert done.returncode == 0, done.stdout


def test_the_target_starts_the_servers_that_nginx_asks() -> None:
    (started,) = settings(shipped("systemd/shop.target", {}))["Wants"]
    asked = shipped("nginx/shop.conf", {})
    ports = [f"127.0.0.1:800{unit[5]}" for unit in started.split()]
    assert [line.split()[1] for line in asked.splitlines() if "    server " in line] == ports


def test_the_store_and_its_password_come_from_a_file() -> None:
    unit = settings(shipped("systemd/shop@.service", {}))
    assert unit["EnvironmentFile"] == ["/etc/shop/shop.env"]  # no "-": without it nothing starts
    assert unit["Environment"] == ["SERVER=%i"]


def test_systemd_waits_longer_than_uvicorn_and_nginx_less() -> None:
    """Otherwise commits under way are cut off, and requests sent into a closing connection."""
    unit = settings(shipped("systemd/shop@.service", {}))
    command = shlex.split(unit["ExecStart"][0])
    grace = int(command[command.index("--timeout-graceful-shutdown") + 1])
    assert grace < int(unit["TimeoutStopSec"][0])
    assert unit["KillMode"] == ["mixed"]
    kept = int(command[command.index("--timeout-keep-alive") + 1])
    (line,) = [
        line
        for line in (DEPLOY / "nginx/shop.conf").read_text().splitlines()
        if line.strip().startswith("keepalive_timeout")
    ]
    assert int(line.split()[1].rstrip("s;")) < kept
