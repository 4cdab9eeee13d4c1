"""A small disk of its own, which a test may fill or make read-only; only root may mount one."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """A file system in memory, mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, options: str) -> None:
        """Change its options, such as `ro` or `size=2m`."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)


@contextmanager
def mounted(path: Path, size: str) -> Generator[Disk]:
    """Mount a disk, or skip the test where that is not permitted."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root may mount a disk")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
