"""Start the parts of `forks` in processes of their own, and talk with them a line at a time."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from coatcheck import SQLiteStore
from coatcheck.waiting import finish

ROOT = Path(__file__).parents[2]


@contextmanager
def running(part: str, path: Path) -> Generator["subprocess.Popen[str]"]:
    """Run a part of `forks` in a process of its own, with its children, until its input ends."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "tests.chaos.forks", part, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def tell(process: "subprocess.Popen[str]", what: str = "go") -> None:
    assert process.stdin
    process.stdin.write(f"{what}\n")
    process.stdin.flush()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().rstrip()


def rest_of(process: "subprocess.Popen[str]") -> list[str]:
    """Let a process come to its end, and return what it still says; no line that it broke off."""
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    lines = process.stdout.readlines()
    process.wait()
    return [line.rstrip() for line in lines if line.endswith("\n")]


def count(path: Path) -> int:
    """Return how many records a newcomer finds."""
    store = SQLiteStore(path)
    found = finish(store.count(None))
    finish(store.close())
    return found
