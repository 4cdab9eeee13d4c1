"""What a hostile `Cookie` header costs: the time to read it by its length, and memory (R-063)."""

import time
import tracemalloc
from statistics import median

from coatcheck.web.cookie import CookieTransport

SIZES = (64 * 1024, 256 * 1024, 1024 * 1024)
_PIECES = {
    "quotes": b'\\"',
    "pairs": b"a=b;",
    "names": b"__Host-sid=",
    "bytes": b"\xff\x00",
}


def benchmark(repetitions: int = 200) -> dict[str, dict[str, dict[str, float]]]:
    """Return, by kind and size, the median nanoseconds and the most bytes of memory."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, piece in _PIECES.items():
        found[name] = {}
        for size in SIZES:
            header = (piece * (size // len(piece) + 1))[:size]
            found[name][str(size)] = _measure(header, repetitions)
    return found


def _measure(header: bytes, repetitions: int) -> dict[str, float]:
    headers, read = [(b"cookie", header)], CookieTransport().read
    times: list[int] = []
    for _ in range(repetitions):
        start = time.perf_counter_ns()
        read(headers)
        times.append(time.perf_counter_ns() - start)
    tracemalloc.start()
    read(headers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {"ns": median(times), "bytes": peak}
