"""Applications and servers to be looked at."""

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from coatcheck.doctor import finding
from coatcheck.doctor.checks import latency
from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.report import Report
from coatcheck.doctor.trial import Plan
from tests.doctor.careless import FIELDS

Done = subprocess.CompletedProcess[str]
PLAN = Plan(login="/login", logout="/logout", page="/me", fields=FIELDS)


def serious(report: Report) -> set[str]:
    """The checks that found what matters by default."""
    return {one.check for one in worth(report)}


def worth(report: Report) -> list[Finding]:
    """Return what matters, but how long a look-up took: a busy machine has its moments."""
    found = (one for one in report.sorted() if one.severity is not Severity.INFO)
    return [one for one in found if one.check != latency.NAME]


def coatcheck(*arguments: str, cwd: Path, given: str = "", **environ: str) -> Done:
    """Run the command in a process of its own."""
    source = str(Path(finding.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "coatcheck.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": source, **environ},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@contextmanager
def served(app: Any) -> Generator[str]:
    """Serve an ASGI application over plain HTTP by a real uvicorn."""
    config = uvicorn.Config(app, lifespan="auto", ws="none", log_config=None)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module into the working directory; returns its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def write(source: str) -> str:
        name = f"site_{secrets.token_hex(6)}"
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write
