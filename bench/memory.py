"""What a session takes in Redis, its entry in the user's index included."""

import tempfile
from pathlib import Path

from bench.client import Client
from bench.processes import uvicorn
from bench.redis import connect, redis_server
from bench.subjects import COATCHECK


def benchmark(users: int) -> dict[str, int]:
    """Return this benchmark's part of the results."""
    with tempfile.TemporaryDirectory() as name, redis_server() as redis:
        return _measure(redis, Path(name), users)


def _measure(redis: str, folder: Path, users: int) -> dict[str, int]:
    """Return the bytes a session, each of another user, of the size in `bench.data`."""
    subject = next(each for each in COATCHECK if each.store == "redis")
    url = subject.url(redis, folder)
    store = connect(url)
    store.flushdb()
    used = int(store.info("memory")["used_memory_dataset"])
    with uvicorn(subject.app, url) as process:
        client = Client(process.port)
        for number in range(users):
            client.text(f"/fill/{number}")
        client.close()
    used = int(store.info("memory")["used_memory_dataset"]) - used
    keys = list(store.scan_iter(count=1000))
    total = sum(store.memory_usage(key, samples=0) for key in keys)
    return {
        "sessions": users,
        "keys": len(keys),
        "bytes": round(total / users),
        "growth": round(used / users),  # of all that Redis holds, by its own account
    }
