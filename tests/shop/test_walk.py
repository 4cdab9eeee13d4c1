"""The walk-through, as `make walk` runs it: three servers, a balancer, one store."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Server

STEPS = 29


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_the_walk_through(kind: str, redis: Server, tmp_path: Path) -> None:
    """Fails when any step does not hold: the programme says which one."""
    url = f"redis://127.0.0.1:{redis.port}/2" if kind == "redis" else f"sqlite:///{tmp_path}/w.db"
    done = subprocess.run(
        [sys.executable, "-m", "examples.shop.walk"],
        env={**os.environ, "STORE": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        len([line for line in done.stdout.splitlines() if line.lstrip()[:2].strip().isdigit()])
        >= STEPS
    )
