"""Load by wrk, and what it reports."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 32


class Load(NamedTuple):
    """What one run of wrk saw: `p99` in microseconds; `refused` were not 2xx."""

    requests: int
    seconds: float
    p99: int
    refused: int
    broken: int


def parse(output: str) -> Load:
    """Read the line that wrk.lua writes at the end.

    Raises:
        ValueError: there is none.
    """
    for line in reversed(output.splitlines()):
        if line.startswith('{"requests"'):
            seen = json.loads(line)
            seconds = seen.pop("microseconds") / 1e6
            return Load(seconds=seconds, **seen)
    raise ValueError(f"wrk did not report: {output}")


def run(url: str, seconds: int, cookies: Path | None = None) -> Load:
    """Send requests for some seconds.

    Raises:
        RuntimeError: requests stayed without an answer.
    """
    if (program := shutil.which("wrk")) is None:
        raise SystemExit("wrk is missing: tools/programs.sh bench installs it")
    script = Path(__file__).with_name("wrk.lua")
    command = [program, "--threads", "1", "--connections", str(CONNECTIONS)]
    command += ["--duration", f"{seconds}s", "--script", str(script), url, "--"]
    command += [str(cookies)] if cookies else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    load = parse(done.stdout)
    if load.broken or not load.requests:
        raise RuntimeError(f"{url}: {load}")
    return load
