"""Where the time of a request goes: `make profile ARGS="redis write"`.

The application is called in this process, without a server, by 32 tasks at a time: first alone, for
the clock, then while a profiler looks at it 2,000 times a second. A function's own time is its
share of the looks times what a request took on the clock. `<built-in>` is written in C; waiting for
Redis is the own time of asyncio's `run`.
"""

import argparse
import asyncio
import importlib
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from pyinstrument import Profiler
from pyinstrument.frame import Frame

from bench.client import AGENT
from bench.redis import redis_server
from bench.serving import SESSIONS
from bench.subjects import COATCHECK, KINDS
from bench.wrk import CONNECTIONS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    stores = [subject.store for subject in COATCHECK]
    parser.add_argument("store", nargs="?", choices=stores, default="redis")
    parser.add_argument("kind", nargs="?", choices=KINDS, default="read")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--top", type=int, default=40, help="how many functions to show")
    parser.add_argument("--out", type=Path, default=Path("profile.html"))
    options = parser.parse_args()
    subject = next(subject for subject in COATCHECK if subject.store == options.store)
    profiler = Profiler(interval=0.0005, async_mode="disabled")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        redis = stack.enter_context(redis_server()) if subject.store == "redis" else ""
        os.environ["BENCH_STORE"] = subject.url(redis, folder)
        app: App = importlib.import_module(f"bench.apps.{subject.app}").app
        seconds, cpu = uvloop.run(_profile(app, profiler, options.kind, options.requests))
    each = seconds / options.requests * 1e6
    print(
        f"{subject.title}, {options.kind}: {each:.0f} µs a request without the profiler,"
        f" {cpu / options.requests * 1e6:.0f} µs of them processor time\n\n"
        f"{'µs':>6}  own time of"
    )
    own = _own(profiler)
    for name, spent in own.most_common(options.top):
        print(f"{each * spent / own.total():6.1f}  {name}")
    options.out.write_text(profiler.output_html())
    print(f"\nThe whole tree, to be opened in a browser: {options.out}")


async def _profile(app: App, profiler: Profiler, kind: str, requests: int) -> tuple[float, float]:
    """Return the seconds on the clock, and of processor time, that the requests took alone."""
    cookies = [await _fill(app, number) for number in range(SESSIONS)]
    if kind == "hot":
        cookies = cookies[:1]
    elif kind == "anonymous":
        cookies = [b""]
    await _load(app, kind, requests // 10, cookies)
    seconds, cpu = time.perf_counter(), time.process_time()
    await _load(app, kind, requests, cookies)
    seconds, cpu = time.perf_counter() - seconds, time.process_time() - cpu
    with profiler:
        await _load(app, kind, requests, cookies)
    return seconds, cpu


async def _load(app: App, kind: str, requests: int, cookies: list[bytes]) -> None:
    turns = cycle(cookies)

    async def work() -> None:
        for _ in range(requests // CONNECTIONS):
            await _call(app, f"/{kind}", next(turns))

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def _fill(app: App, number: int) -> bytes:
    start = await _call(app, f"/fill/{number}", b"")
    cookies = [value for name, value in start["headers"] if name == b"set-cookie"]
    return b"; ".join(cookie.partition(b";")[0] for cookie in cookies)


async def _call(app: App, path: str, cookie: bytes) -> Message:
    """Return the start of the response, which must be 200."""
    headers = [(b"host", b"localhost"), (b"user-agent", AGENT.encode())]
    if cookie:
        headers.append((b"cookie", cookie))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 8000),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != 200:
        raise RuntimeError(f"{path} was answered {sent[0]['status']}")
    return sent[0]


def _own(profiler: Profiler) -> Counter[str]:
    """Return the time spent in each function itself, wherever it was called from."""
    own: Counter[str] = Counter()

    def add(frame: Frame) -> None:
        where = f"{frame.function}  {frame.file_path_short}:{frame.line_no}"
        own[where] += frame.total_self_time
        for child in frame.children:
            if not child.is_synthetic:
                add(child)

    if root := profiler.last_session.root_frame():
        add(root)
    return own


if __name__ == "__main__":
    main()
