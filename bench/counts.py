"""What a request sends to Redis and sets as cookies, counted exactly."""

from pathlib import Path
from typing import Any

from bench.client import Client
from bench.processes import uvicorn
from bench.redis import Watch
from bench.subjects import SUBJECTS, Kind, Subject

REQUESTS = 200
_KINDS: tuple[Kind, ...] = ("read", "write", "anonymous")


def count(redis: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Count for each subject and kind, one request after the other."""
    return {subject.name: _count(subject, redis, folder) for subject in SUBJECTS}


def _count(subject: Subject, redis: str, folder: Path) -> dict[str, Any]:
    with uvicorn(subject.app, subject.url(redis, folder)) as process:
        client = Client(process.port)
        cookie = "; ".join(client.get("/fill/0").cookies)
        counted: dict[str, Any] = {"cookie_bytes": len(cookie)}
        for kind in _KINDS:
            presented = None if kind == "anonymous" else cookie
            cookies = 0
            with Watch(redis) as watch:
                for _ in range(REQUESTS):
                    answer = client.get(f"/{kind}", presented)
                    if answer.status != 200:
                        raise RuntimeError(f"{subject.name}, {kind}: {answer}")
                    cookies += len(answer.cookies)
            counted[kind] = {
                "redis_commands": len(watch.sent) / REQUESTS,
                "redis_names": sorted(set(watch.sent)),
                "redis_writes": watch.writes / REQUESTS,
                "set_cookies": cookies / REQUESTS,
            }
        client.close()
        return counted
