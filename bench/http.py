"""What a session costs a request: `python -m bench.http [--quick]`.

In each round every application serves every kind of request, in an order of the round's own.
"""

import argparse
import random
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from bench import counts, memory, results, wrk
from bench.client import Client
from bench.processes import IS_PINNED, Process, pin_others, uvicorn
from bench.redis import connect, redis_server
from bench.rounds import Run, wrong
from bench.subjects import COATCHECK, KINDS, SUBJECTS, Kind, Subject

SESSIONS = 256


class Serving:
    """A subject that runs, with sessions that were made through it."""

    def __init__(self, subject: Subject, process: Process, folder: Path) -> None:
        self.subject, self.process = subject, process
        self.client = Client(process.port)
        answers = [self.client.get(f"/fill/{number}") for number in range(SESSIONS + 1)]
        wrong = next((answer for answer in answers if answer.status != 200), None)
        if wrong is not None:
            raise RuntimeError(f"{subject.name}: {wrong}")
        cookies = ["; ".join(answer.cookies) for answer in answers]
        self.hot, self.spread = cookies[:1], cookies[1:]
        self._files: dict[Kind, Path | None] = {"anonymous": None}
        has_cookies = all(cookies)
        for kind in KINDS:
            if kind != "anonymous":
                file = folder / f"{subject.name}-{kind}"
                file.write_text("\n".join(self.cookies(kind)))
                self._files[kind] = file if has_cookies else None

    def cookies(self, kind: Kind) -> list[str]:
        return self.hot if kind == "hot" else self.spread

    def load(self, kind: Kind, seconds: int) -> wrk.Load:
        load = wrk.run(f"http://127.0.0.1:{self.process.port}/{kind}", seconds, self._files[kind])
        self.process.settle()
        return load

    def written(self, kind: Kind) -> int:
        """Return how many writes can be read back."""
        self.client.close()  # the server has closed a connection that was idle for so long
        return sum(int(self.client.text("/counter", cookie)) for cookie in self.cookies(kind))


@contextmanager
def serving(subject: Subject, redis: str, folder: Path) -> Generator[Serving]:
    with uvicorn(subject.app, subject.url(redis, folder), first=True) as process:
        yield Serving(subject, process, folder)


def measure(serving: Serving, kind: Kind, *, warm_up: int, seconds: int) -> Run:
    """Do one run, and count what was lost."""
    subject, process = serving.subject, serving.process
    is_counted = subject.is_counted and kind in ("write", "hot")
    serving.load(kind, warm_up)
    written = serving.written(kind) if is_counted else 0
    cpu = process.cpu()
    load = serving.load(kind, seconds)
    cpu = process.cpu() - cpu
    lost = None
    if is_counted:
        lost = load.requests - load.refused - (serving.written(kind) - written)
        if lost < -wrk.CONNECTIONS:  # wrk leaves without waiting for the last answers
            raise RuntimeError(f"{subject.name}, {kind}: {-lost} more written than {load} sent")
    return Run(
        subject=subject.name,
        kind=kind,
        requests=load.requests,
        rate=load.requests / load.seconds,
        cpu=cpu / load.requests / 1000,
        p99=load.p99,
        refused=load.refused,
        lost=None if lost is None else max(0, lost),
    )


def one_round(redis: str, folder: Path, *, warm_up: int, seconds: int) -> list[Run]:
    """Start everything anew, so that no process's luck lasts longer than a round."""
    connect(redis).flushall()
    folder.mkdir()
    with ExitStack() as stack:
        served = [stack.enter_context(serving(each, redis, folder)) for each in SUBJECTS]
        turns = list(product(served, KINDS))
        random.shuffle(turns)
        return [measure(each, kind, warm_up=warm_up, seconds=seconds) for each, kind in turns]


def benchmark(rounds: int, warm_up: int, seconds: int) -> dict[str, Any]:
    """Return the part of the results that this benchmark makes."""
    pin_others()
    with tempfile.TemporaryDirectory() as name, redis_server() as redis:
        folder = Path(name)
        runs: list[list[Run]] = []
        for number in range(rounds):
            runs.append(one_round(redis, folder / str(number), warm_up=warm_up, seconds=seconds))
            print(f"round {number + 1} of {rounds}", flush=True)
        counted = counts.count(redis, folder)
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
            "wrong": wrong(runs, [each.name for each in COATCHECK]),
            "counts": counted,
            "memory": memory.measure(redis, folder),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measured run")
    parser.add_argument("--warm-up", type=int, default=1, help="seconds before each of them")
    parser.add_argument("--out", type=Path, default=results.FILE)
    arguments = parser.parse_args()
    found = benchmark(arguments.rounds, arguments.warm_up, arguments.seconds)
    results.update(arguments.out, http=found)
    if found["wrong"]:
        raise SystemExit("\n".join(found["wrong"]))


if __name__ == "__main__":
    main()
