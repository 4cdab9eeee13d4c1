"""Users who are moved from Redis to SQLite notice nothing: their cookies open what they opened."""

import asyncio
import copy
import uuid
from pathlib import Path

from coatcheck import Keyring, Sealed, Sessions, store_from_url
from tests.doctor.conftest import coatcheck
from tests.servers import Server, sqlite_url
from tests.web.app import shop
from tests.web.client import Client


async def run(*words: str, cwd: Path, key: str) -> str:
    work = asyncio.to_thread(coatcheck, *words, cwd=cwd, COATCHECK_BACKUP_KEYS=key)
    done = await work
    assert done.returncode == 0
    return done.stderr


async def test_the_cookie_opens_the_same_session(redis: Server, tmp_path: Path) -> None:
    """The data is encrypted, by a key that export and import never see."""
    envelope, key = Sealed(Keyring(Keyring.new_key())), Keyring.new_key()
    source_url = f"redis://127.0.0.1:{redis.port}/0?prefix={uuid.uuid4().hex}"
    store = store_from_url(source_url)
    alice, visitor = (Client(shop(Sessions(store, envelope=envelope))) for _ in range(2))
    await alice.post("/login?as=alice")
    await alice.post("/write?cart=hat")
    await visitor.post("/write?cart=scarf")
    await store.close()

    said = await run("export", "all", "--store", source_url, cwd=tmp_path, key=key)
    assert said.startswith("2 sessions exported")
    target_url = sqlite_url(tmp_path)
    said = await run("import", "all", "--store", target_url, cwd=tmp_path, key=key)
    assert said.startswith("2 sessions imported")

    store = store_from_url(target_url)
    alice.app = visitor.app = shop(Sessions(store, envelope=envelope))
    thief = Client(alice.app, jar=copy.deepcopy(alice.jar))
    assert (await alice.get("/me")).json()["subject"] == "alice"
    assert (await alice.get("/read")).json() == {"cart": "hat"}
    assert (await visitor.get("/read")).json() == {"cart": "scarf"}
    await alice.post("/write?cart=coat")
    assert (await thief.get("/read")).json() == {"cart": "coat"}
    assert (await alice.post("/logout")).status == 204
    assert (await thief.get("/me")).status == 401

    said = await run("import", "all", "--store", target_url, cwd=tmp_path, key=key)
    assert "0 sessions imported; there already: 1, ended since: 1" in said
    assert (await thief.get("/me")).status == 401
    await store.close()
