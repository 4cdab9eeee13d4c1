"""What is left of 200 changes to one session when 16 are under way at any time.

They meet in two processes, in two of 8 threads, or in one of 16.

Each adds its own item to a cart, or one to a counter, 5 ms after it looked at the session.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path
from threading import Lock, local
from typing import Any, NamedTuple

from bench.client import Client, header
from bench.processes import gunicorn, uvicorn
from bench.redis import redis_server
from bench.subjects import (
    COATCHECK,
    DJANGO_COATCHECK,
    DJANGO_SQLITE,
    FLASK_COATCHECK,
    FLASK_SESSION,
    OURS,
    SIGNED,
    STARSESSIONS,
    Subject,
)

REQUESTS = 200
AT_ONCE = 16
THREADED = (*FLASK_COATCHECK, *DJANGO_COATCHECK)
SUBJECTS = (
    *((subject, 1 if subject.store == "memory" else 2) for subject in COATCHECK),  # not shared
    *product(THREADED, (1, 2)),
    *product((STARSESSIONS, SIGNED, FLASK_SESSION, DJANGO_SQLITE), (2,)),
)
"""And the number of processes."""


class Kept(NamedTuple):
    """What became of the requests.

    Attributes:
        kept: changes that are there afterwards.
        lost: changes that were answered 200 and are not there.
        refused: requests that were not answered 200.
    """

    kept: int
    lost: int
    refused: int


class Browser:
    """Many connections and one cookie jar, in which the last `Set-Cookie` stands."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._jar: dict[str, str] = {}
        self._lock = Lock()
        self._mine = local()

    def get(self, path: str, turn: int = 0) -> tuple[int, str]:
        """Send a request to the process whose turn it is; return the status and the body."""
        if not hasattr(self._mine, "clients"):
            self._mine.clients = [Client(port) for port in self._ports]
        client: Client = self._mine.clients[turn % len(self._ports)]
        with self._lock:
            cookie = header(self._jar)
        answer = client.get(path, cookie)
        with self._lock:
            self._jar.update(answer.cookies)
        return answer.status, answer.body

    def read(self, path: str) -> str:
        """Return the body of an answer that must be 200."""
        status, body = self.get(path)
        if status != 200:
            raise RuntimeError(f"{path} was answered {status}: {body}")
        return body

    def get_all(self, path: Callable[[int], str]) -> list[bool]:
        """Send all requests; tell of each whether it was answered 200."""

        def is_answered(turn: int) -> bool:
            return self.get(path(turn), turn)[0] == 200

        with ThreadPoolExecutor(AT_ONCE) as threads:
            return list(threads.map(is_answered, range(REQUESTS)))


def benchmark(repetitions: int) -> list[dict[str, Any]]:
    """Return this benchmark's part of the results."""
    with tempfile.TemporaryDirectory() as folder, redis_server() as redis:
        found: list[dict[str, Any]] = []
        for subject, processes in SUBJECTS:
            found.append(_measure(subject, processes, redis, Path(folder), repetitions))
            print(f"survivors: {subject.title}, processes: {processes}", flush=True)
        return found


def wrong(found: Sequence[dict[str, Any]]) -> list[str]:
    """Tell where coatcheck did not keep everything."""
    return [
        f"{each['subject']}, {what}: {kept}"
        for each in found
        for what in ("cart", "count")
        for kept in each[what]
        if each["subject"] in OURS and kept["kept"] != REQUESTS
    ]


def _measure(
    subject: Subject, processes: int, redis: str, folder: Path, repetitions: int
) -> dict[str, Any]:
    threads = AT_ONCE // processes
    serve = partial(gunicorn, threads=threads) if subject.is_wsgi else uvicorn
    with ExitStack() as stack:
        ports: list[int] = []
        for number in range(processes):
            url = subject.url(redis, folder)
            process = stack.enter_context(serve(subject.app, url, first=number == 0))
            ports.append(process.port)
            Browser(ports[-1:]).read("/empty")  # it is ready, and has made its tables
        return {
            "subject": subject.name,
            "title": subject.title,
            "processes": processes,
            **({"threads": threads} if subject.is_wsgi else {}),
            "requests": REQUESTS,
            "cart": [_cart(Browser(ports))._asdict() for _ in range(repetitions)],
            "count": [_count(Browser(ports))._asdict() for _ in range(repetitions)],
        }


def _cart(browser: Browser) -> Kept:
    browser.read("/empty")
    answered = browser.get_all(lambda turn: f"/add/i{turn}")
    cart = set(json.loads(browser.read("/cart")))
    lost = sum(ok and f"i{turn}" not in cart for turn, ok in enumerate(answered))
    return Kept(len(cart), lost, answered.count(False))


def _count(browser: Browser) -> Kept:
    browser.read("/empty")
    answered = browser.get_all(lambda _: "/count").count(True)
    counted = int(browser.read("/counter"))
    return Kept(counted, max(0, answered - counted), REQUESTS - answered)
