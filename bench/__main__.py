"""Run the benchmarks and write what they found: `make bench`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from bench import hostile, http, memory, plot, results, stores, survivors
from bench.processes import pin_others
from bench.redis import redis_server
from bench.report import medians, report
from bench.subjects import GROUPS, STARLETTE

IMAGES = results.FILE.parents[1] / "docs" / "images"
PARTS = (*(group.name for group in GROUPS), "memory", "hostile", "stores", "survivors", "report")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="all, unless named")
    parser.add_argument("--quick", action="store_true", help="see that it works; keep nothing")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measured run")
    parser.add_argument("--warm-up", type=int, default=1, help="seconds before each of them")
    parser.add_argument("--repetitions", type=int, default=5, help="of what survives")
    parser.add_argument("--users", type=int, default=3_000, help="for the memory in Redis")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    if not options.quick:
        _run(options, results.FILE, IMAGES)
        return
    options.rounds = options.seconds = options.repetitions = 1
    options.warm_up, options.users = 0, 500
    with tempfile.TemporaryDirectory() as folder:
        _run(options, Path(folder, results.FILE.name), Path(folder))


def _stop(number: int, frame: FrameType | None) -> None:
    """Leave as at the end, so that everything that was started is stopped."""
    sys.exit("stopped")


def _run(options: argparse.Namespace, file: Path, images: Path) -> None:
    pin_others()
    complaints: list[str] = []
    for group in GROUPS:
        if options.part in (None, group.name):
            costs = http.benchmark(
                group,
                options.rounds,
                options.seconds,
                options.warm_up,
                under_load=not options.quick,
            )
            results.update(file, **{group.name: costs})
            complaints += http.wrong(costs)
    if options.part in (None, "memory"):
        results.update(file, memory=memory.benchmark(options.users))
    if options.part in (None, "hostile"):
        results.update(file, hostile=hostile.benchmark())
    if options.part in (None, "stores"):
        with redis_server() as redis:
            rates = stores.benchmark(redis, options.rounds, options.seconds)
        results.update(file, stores=rates)
        if not options.quick:
            complaints += stores.wrong(rates)
    if options.part in (None, "survivors"):
        kept = survivors.benchmark(options.repetitions)
        results.update(file, survivors=kept)
        complaints += survivors.wrong(kept)
    everything = results.load(file)
    page = report(everything)
    file.with_suffix(".md").write_text(page)
    print(page)
    if STARLETTE.name in everything:
        plot.draw(medians(STARLETTE, everything[STARLETTE.name]), images)
    sys.exit("\n".join(complaints) or 0)


if __name__ == "__main__":
    main()
