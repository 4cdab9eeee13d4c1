"""The walk-through, as `make walk` runs it: three servers, a balancer, one store."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from examples.shop import walk
from examples.shop.clock import ShopClock
from tests.redis_topologies import valkey_program
from tests.servers import Server, free_port, postgres_url


def run_walk(store: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "examples.shop.walk"],
        env={**os.environ, "STORE": store, **more},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_the_walk_through(kind: str, redis: Server, tmp_path: Path) -> None:
    """Fails when any step does not hold: the programme says which one."""
    url = f"redis://127.0.0.1:{redis.port}/2" if kind == "redis" else f"sqlite:///{tmp_path}/w.db"
    done = run_walk(url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 42 steps went as they should." in done.stdout


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_one_login_over_three_frameworks(kind: str, redis: Server, tmp_path: Path) -> None:
    """Fails when a login, a cart or a logout in one of them is not known in another."""
    url = f"redis://127.0.0.1:{redis.port}/3" if kind == "redis" else f"sqlite:///{tmp_path}/w.db"
    done = run_walk(url, APPS="fastapi,flask,django")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 42 steps went as they should." in done.stdout
    assert all(name in done.stdout for name in ("A-fastapi", "B-flask", "C-django"))


@pytest.mark.parametrize(
    ("store", "apps"),
    [
        ("redis", "fastapi"),
        ("valkey", "fastapi"),
        ("sentinel", "flask,django,fastapi"),
        ("cluster", "flask,django,fastapi"),
        ("postgresql", "fastapi"),
        ("mariadb", "flask,django,fastapi"),
    ],
)
def test_on_servers_of_its_own(store: str, apps: str) -> None:
    """The walk starts and stops them; drivers for asyncio and for threads share them."""
    folder = os.path.dirname(valkey_program())  # noqa: PTH120 - for the PATH
    done = run_walk(store, APPS=apps, PATH=f"{os.environ['PATH']}{os.pathsep}{folder}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 42 steps went as they should." in done.stdout


def test_a_server_that_is_not_installed_is_named() -> None:
    done = run_walk("valkey", PATH="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The shop did not open: valkey-server is not installed.\n"


def test_on_a_database_that_is_there(postgres: Server) -> None:
    done = run_walk(postgres_url(postgres))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_database_that_is_away_is_named() -> None:
    done = run_walk(f"postgresql://user:brass@127.0.0.1:{free_port()}/shop")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The session store cannot be used: postgresql: Operational")
    assert "brass" not in done.stderr


def test_a_shop_in_a_framework_that_nobody_wrote(tmp_path: Path) -> None:
    done = run_walk(f"sqlite:///{tmp_path}/w.db", APPS="fastapi,cobol")
    assert done.returncode == 1
    assert done.stderr == (
        "The shop did not open: there is no shop in cobol, only fastapi, flask, django.\n"
    )


def test_a_step_that_does_not_hold_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Here no time passes in the shop, so the session is still there after half an hour."""

    def stand_still(clock: ShopClock, by: timedelta) -> None:
        pass

    monkeypatch.setattr(ShopClock, "advance", stand_still)
    monkeypatch.setenv("STORE", f"sqlite:///{tmp_path}/w.db")
    assert walk.main() == 1
    said = capsys.readouterr().out
    assert "  step 8, GET /cart: status 401\n" in said
    assert "steps went as they should" not in said


def test_a_store_that_is_away_is_named() -> None:
    port = free_port()
    done = run_walk(f"redis://user:brass@127.0.0.1:{port}/0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The session store cannot be used: Redis: ConnectionError")
    assert f"127.0.0.1:{port}" in done.stderr
    assert "brass" not in done.stderr


def test_a_store_that_one_process_has_for_itself_is_refused() -> None:
    done = run_walk("memory:")
    sentence = "The shop did not open: 3 servers cannot share memory:, the memory of one process.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)
