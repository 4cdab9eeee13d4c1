"""compose.yaml: its schema, what must not get lost from it, and its Redis for real."""

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import redis

from coatcheck import Sessions, store_from_url
from coatcheck.errors import StoreUnavailable
from tests.deploy.redis_as_composed import FILE, PASSWORD, Redis, redis_as_composed, service
from tests.deploy.until import until


@pytest.fixture
def server(tmp_path: Path) -> Generator[Redis]:
    with redis_as_composed(tmp_path) as server:
        yield server


@pytest.fixture
def admin(server: Redis) -> Generator[Any]:
    module: Any = redis  # of whose types pyright knows half
    client = module.Redis.from_url(server.url())
    yield client
    client.close()


def test_it_is_a_compose_file() -> None:
    """By the specification's schema, which refuses unknown keys."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("environment", [{}, {"REDIS_PASSWORD": ""}])
def test_without_a_password_it_does_not_start(environment: dict[str, str]) -> None:
    with pytest.raises(KeyError, match="REDIS_PASSWORD"):
        service(environment)


def test_only_this_machine_reaches_it() -> None:
    ports = service({"REDIS_PASSWORD": PASSWORD})["ports"]
    assert ports == ["127.0.0.1:6379:6379"]


def test_its_data_outlives_the_container() -> None:
    assert service({"REDIS_PASSWORD": PASSWORD})["volumes"] == ["data:/data"]


def test_redis_is_set_as_the_file_says(server: Redis, admin: Any) -> None:
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": str(256 * 2**20),
        "maxmemory-policy": "noeviction",
    }
    assert admin.config_get(*wanted) == wanted


def test_its_command_line_does_not_show_the_password(admin: Any) -> None:
    process = admin.info("server")["process_id"]
    shown = Path(f"/proc/{process}/cmdline").read_bytes()
    assert b"redis-server" in shown
    assert PASSWORD.encode() not in shown


@pytest.mark.parametrize("credentials", ["", ":wrong@", "default:wrong@"])
async def test_who_does_not_know_the_password_gets_nothing(server: Redis, credentials: str) -> None:
    sessions = Sessions(store_from_url(server.url(credentials)))
    with pytest.raises(StoreUnavailable):
        await sessions.count()
    await sessions.close()


def test_the_health_check_wants_an_answer(server: Redis) -> None:
    assert server.is_healthy()
    server.stop()
    assert not server.is_healthy()


async def test_sessions_survive_the_death_of_redis(server: Redis, admin: Any) -> None:
    """Fails without the append-only file: the sessions are gone."""
    sessions = Sessions(store_from_url(server.url()))
    kept, ended = await sessions.open(None), await sessions.open(None)
    for session in (kept, ended):
        session.sign_in("alice")
        session["cart"] = ["hat"]
    token = (await sessions.commit(kept)).token
    gone = (await sessions.commit(ended)).token
    ended.end()
    await sessions.commit(ended)
    until(lambda: is_on_disk(admin))
    server.kill()
    with pytest.raises(StoreUnavailable):
        await sessions.open(token)
    server.start()
    found = await sessions.open(token)
    assert (found.subject, found) == ("alice", {"cart": ["hat"]})
    assert (await sessions.open(gone)).subject is None
    await sessions.close()


def is_on_disk(admin: Any) -> bool:
    info = admin.info("persistence")
    return info["aof_enabled"] == 1 and not (
        info["aof_buffer_length"] or info["aof_pending_bio_fsync"]
    )


async def test_a_full_redis_forgets_nobody(server: Redis, admin: Any) -> None:
    """Fails with a policy that evicts: room is made by logging somebody out."""
    sessions = Sessions(store_from_url(server.url()))
    first = await sessions.open(None)
    first.sign_in("alice")
    token = (await sessions.commit(first)).token
    admin.config_set("maxmemory", admin.info("memory")["used_memory"] + 2**19)
    with pytest.raises(StoreUnavailable):
        await _sign_in_many(sessions)
    assert (await sessions.open(token)).subject == "alice"
    await sessions.close()


async def _sign_in_many(sessions: Sessions) -> None:
    for number in range(100):
        session = await sessions.open(None)
        session.sign_in(f"user{number}")
        session["filler"] = "x" * 20_000
        await sessions.commit(session)
