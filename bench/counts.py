"""What a request sends to Redis and sets as cookies, counted exactly."""

from pathlib import Path
from typing import Any

from bench import wrk
from bench.client import Client
from bench.redis import Watch, connect
from bench.serving import Serving, serving
from bench.subjects import Group, Kind

REQUESTS = 200
_STORED: tuple[Kind, ...] = ("read", "write")


def count(group: Group, redis: str, folder: Path, *, under_load: bool) -> dict[str, dict[str, Any]]:
    """Count for each subject and kind: one request after the other, and many at once if wished."""
    connect(redis).flushall()
    counted: dict[str, dict[str, Any]] = {}
    for subject in group.subjects:
        with serving(subject, redis, folder) as served:
            counted[subject.name] = {"cookie_bytes": len(served.spread[0])}
            for kind in group.kinds:
                if kind == "hot":
                    continue  # it is a write
                counted[subject.name][kind] = _one_by_one(served, kind, redis)
            if under_load and subject.store == "redis":
                served.load("read", 1)  # let it open its connections
                for kind in _STORED:
                    counted[subject.name][kind]["redis_commands_at_once"] = _at_once(
                        served, kind, redis
                    )
    return counted


def _one_by_one(served: Serving, kind: Kind, redis: str) -> dict[str, Any]:
    client = Client(served.process.port)
    presented = None if kind == "anonymous" else served.spread[0]
    cookies = 0
    with Watch(redis) as watch:
        for _ in range(REQUESTS):
            answer = client.get(f"/{kind}", presented)
            if answer.status != 200:
                raise RuntimeError(f"{served.subject.name}, {kind}: {answer}")
            cookies += len(answer.cookies)
    client.close()
    return {
        "redis_commands": len(watch.sent) / REQUESTS,
        "redis_names": sorted(set(watch.sent)),
        "redis_writes": watch.writes / REQUESTS,
        "set_cookies": cookies / REQUESTS,
    }


def _at_once(served: Serving, kind: Kind, redis: str) -> float:
    with Watch(redis) as watch:
        load = served.load(kind, 1)
    return len(watch.sent) / (load.requests + wrk.CONNECTIONS)  # with those under way at the end
