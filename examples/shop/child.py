"""A child process on a leash: it stops when asked, and when this process dies without asking."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

PATIENCE: Final = 8  # seconds between SIGTERM and kill

_ROOT: Final = Path(__file__).parents[2]  # from where `examples.shop` can be imported


class Child:
    """One `python -m <module>`, started at once; what it reports goes to `log`, else to ours.

    Its stdin is a pipe whose other end only this process holds; see process.py for what the child
    makes of that. It gets a session of its own, so that Ctrl-C in the terminal reaches the parent
    alone and the parent decides in which order things stop.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str],
        log: IO[bytes] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "--leashed", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=_ROOT,
            env={**os.environ, **environment},
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def runs(self) -> bool:
        """Say whether the process is still there."""
        return self._process.poll() is None

    def ask_to_stop(self) -> None:
        """Send SIGTERM; returns at once. A process that has ended already is no error."""
        self._process.terminate()

    def stop(self) -> None:
        """Wait until the process is gone, and kill it when it takes too long."""
        self.ask_to_stop()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()
