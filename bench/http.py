"""What a session costs a request.

In each round every subject serves every kind of request, in an order of the round's own.
"""

import random
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

from bench import counts, wrk
from bench.processes import IS_PINNED
from bench.redis import connect, redis_server
from bench.rounds import Run
from bench.serving import SESSIONS, Serving, serving
from bench.subjects import OURS, Group, Kind


def benchmark(
    group: Group, rounds: int, seconds: int, warm_up: int, *, under_load: bool
) -> dict[str, Any]:
    """Return one group's part of the results.

    Args:
        seconds: of each measured run.
        warm_up: seconds before each of them.
        under_load: count commands under load, too.
    """
    with tempfile.TemporaryDirectory() as name, redis_server() as redis:
        folder = Path(name)
        runs: list[list[Run]] = []
        for number in range(rounds):
            runs.append(_round(group, redis, folder / str(number), seconds, warm_up))
            print(f"{group.title}: round {number + 1} of {rounds}", flush=True)
        return {
            "settings": {
                "rounds": rounds,
                "seconds": seconds,
                "warm_up": warm_up,
                "connections": wrk.CONNECTIONS,
                "sessions": SESSIONS,
                "pinned": IS_PINNED,
            },
            "rounds": [[run._asdict() for run in each] for each in runs],
            "counts": counts.count(group, redis, folder, under_load=under_load),
        }


def wrong(costs: Mapping[str, Any]) -> list[str]:
    """Tell where coatcheck lost or refused a request."""
    return [
        f"{run['subject']}, {run['kind']}: of {run['requests']} requests {run['refused']} were"
        f" refused and {run['lost'] or 0} writes lost"
        for runs in costs["rounds"]
        for run in runs
        if run["subject"] in OURS and (run["refused"] or run["lost"])
    ]


def _round(group: Group, redis: str, folder: Path, seconds: int, warm_up: int) -> list[Run]:
    """Start everything anew, so that no process's luck lasts longer than a round."""
    connect(redis).flushall()
    folder.mkdir()
    with ExitStack() as stack:
        served = [stack.enter_context(serving(each, redis, folder)) for each in group.subjects]
        turns = list(product(served, group.kinds))
        random.shuffle(turns)
        return [_run(each, kind, seconds, warm_up) for each, kind in turns]


def _run(serving: Serving, kind: Kind, seconds: int, warm_up: int) -> Run:
    """Measure one kind of request, and count the writes that were lost."""
    subject, process = serving.subject, serving.process
    is_counted = subject.is_counted and kind in ("write", "hot")
    if warm_up:
        serving.load(kind, warm_up)
    written = serving.written(kind) if is_counted else 0
    cpu = process.cpu()
    load = serving.load(kind, seconds)
    cpu = process.cpu() - cpu
    lost = None
    if is_counted:
        lost = load.requests - load.refused - (serving.written(kind) - written)
        if lost < -wrk.CONNECTIONS:  # wrk leaves without waiting for the last answers
            raise RuntimeError(f"{subject.name}, {kind}: {-lost} more written than {load} tells")
        lost = max(0, lost)
    return Run(
        subject=subject.name,
        kind=kind,
        requests=load.requests,
        rate=round(load.requests / load.seconds, 1),
        cpu=round(cpu / load.requests / 1000, 2),
        p99=load.p99,
        refused=load.refused,
        lost=lost,
    )
