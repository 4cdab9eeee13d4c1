"""The promises of the design: each has a test here that fails when it is broken, or names it.

1. The core decides, stores keep, the web carries: only `open` and `commit` do I/O in a request.
2. One source for threads and asyncio.
3. A request that only reads costs one read and no write; without a session it costs nothing.
4. No acknowledged update is lost, no ended session comes back: `test_parallel_edits`,
   `test_slow_requests`, `test_lost_answers`, `test_redis_dies`, `test_cancellation`.
5. What the store holds cannot be used to log in.
6. Three answers, not two: found, absent, unavailable. See also `test_redis_dies`.
7. One record format for every framework and every store.
"""

import ast
import asyncio
import inspect
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import redis as driver

import coatcheck
from coatcheck import (
    BlockingSessions,
    Happened,
    MemoryStore,
    Sessions,
    SQLiteStore,
    Store,
    Token,
    store_from_url,
)
from coatcheck.core.record import Record
from coatcheck.errors import StoreUnavailable
from coatcheck.testing import Clock
from coatcheck.waiting import finish
from tests.chaos.shop import Shop
from tests.chaos.spy import spied
from tests.chaos.wire import Wire
from tests.kinds import ON_EVERY, ON_SHARED
from tests.servers import Server

# 1


async def test_only_open_and_commit_ask_the_store(store: Store, clock: Clock) -> None:
    """Whatever the handler does. Fails when anything of a session asks the store."""
    used: list[str] = []
    sessions = Sessions(spied(store, used.append), clock=clock)
    session = await sessions.open(None)
    session.sign_in("alice")
    assert used == []
    token = (await sessions.commit(session)).token
    used.clear()

    session = await sessions.open(token)
    assert used == ["load"]
    for name in set(dir(session)) - set(dir(dict)) - {"state"}:
        getattr(session, name)
    session["cart"] = {"apple": 1}
    session.edit(lambda data: data.update(seen=True))
    session.require_subject()
    session.step_up(2)
    session.privilege_changed()
    session.sign_in("bob")
    session.end()
    session["after"] = 1
    assert used == ["load"]
    await sessions.commit(session)
    assert used[:2] == ["load", "end"]


# 2


def test_threads_have_the_same_methods_as_asyncio() -> None:
    """Fails when either gets a method or a parameter of its own."""
    asynchronous, blocking = public(Sessions), public(BlockingSessions)
    assert asynchronous == blocking
    assert blocking["open"] == ["self", "token", "client", "is_activity", "is_held"]


def public(kind: type) -> dict[str, list[str]]:
    """Return the public methods and their parameters."""
    members = inspect.getmembers(kind, inspect.isfunction)
    # Without I/O, or for adapters.
    no_io = ("again", "arrive", "report_unsaved", "report_forgery", "redeem", "watch")
    members = [each for each in members if each[0] not in no_io]
    return {
        name: list(inspect.signature(member).parameters)
        for name, member in members
        if not name.startswith("_")
    }


def test_nothing_borrows_an_event_loop_or_a_thread() -> None:
    """Fails when the blocking side hides a loop, or the asyncio side a thread.

    Only the files named here may; one that no longer does loses its line.
    """
    hidden = {"run", "Runner", "run_until_complete", "new_event_loop", "to_thread", "Thread"}
    package, found = Path(coatcheck.__file__).parent, set[str]()
    for path in package.rglob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        called = {
            node.func.attr
            for node in nodes
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in ("asyncio", "threading")
        }
        if called & hidden:
            found.add(path.relative_to(package).as_posix())
    assert found == {
        "observe/audit.py",  # its thread writes events, and nothing of a session waits for it
        "parts.py",  # at the end of the process, so that the loop does not wait for that one
        "tokens/remote.py",  # asks for an issuer's keys, so that no request waits for them
        "cli/backup.py",  # a command of its own, as the next
        "doctor/store_examination.py",  # a command of its own
        "testing/loop_thread.py",  # no server runs what tests are made with
        "testing/stores.py",
    }


async def test_a_blocking_call_in_asyncio_is_refused(redis: Server) -> None:
    """Fails when a coroutine that suspends is left hanging."""
    store = store_from_url(f"redis://127.0.0.1:{redis.port}/0")
    with pytest.raises(RuntimeError, match="BlockingSessions only in threads"):
        finish(store.load("A" * 22))
    await store.close()


# 3


@pytest.mark.parametrize(
    ("path", "is_signed_in", "commands"),
    [
        ("/read", True, ["GET"]),
        ("/ping", True, ["GET"]),
        ("/read", False, []),
        ("/ping", False, []),
        ("/put/second", True, ["GET", "EVALSHA"]),
        ("/rotate", True, ["GET", "EVALSHA"]),
        ("/put/first", False, ["EVALSHA"]),
        ("/logout", True, ["GET", "EVALSHA", "ZREM"]),
    ],
)
async def test_a_request_costs_what_it_must(
    redis: Server, path: str, is_signed_in: bool, commands: list[str]
) -> None:
    """Counted between the application and Redis. Fails with any command more."""
    async with Wire(redis.port) as between:
        shop = Shop(store_from_url(f"redis://127.0.0.1:{between.port}/0"), clock=Clock())
        for _ in range(2):  # the first time scripts are loaded
            cookie = (await shop.send("/login/alice")).cookie
            await shop.send("/put/first", cookie)
            between.asked.clear()
            answer = await shop.send(path, cookie if is_signed_in else None)
            assert answer.status == 200
        assert between.commands() == commands
        await shop.close()


async def test_activity_is_written_once_in_a_share_of_the_idle_time(
    store: Store, clock: Clock
) -> None:
    """Fails when every read is a write."""
    used: Counter[str] = Counter()
    shop = Shop(spied(store, lambda name: used.update([name])), clock=clock)
    cookie = (await shop.send("/login/alice")).cookie
    used.clear()
    for _ in range(180):
        clock.move(seconds=10)
        answer = await shop.send("/read", cookie)
        cookie = answer.cookie if answer.cookies else cookie
        await shop.sessions.flush()
    assert (used["load"], used["touch"], used["save"]) == (180, 18, 3), (
        "and one renewal, confirmed, another"
    )


async def test_a_client_that_takes_no_cookie_up_costs_no_writes(store: Store, clock: Clock) -> None:
    """Fails when it saves each time it is handed the same successor."""
    used: Counter[str] = Counter()
    shop = Shop(spied(store, lambda name: used.update([name])), clock=clock)
    cookie = (await shop.send("/login/alice")).cookie
    used.clear()
    for _ in range(120):
        clock.move(seconds=10)
        await shop.send("/read", cookie)
        await shop.sessions.flush()
    assert (used["touch"], used["save"]) == (12, 1)


# 5


@pytest.mark.parametrize("store_url", ["sqlite", "redis"], indirect=True)
async def test_no_piece_of_a_secret_is_stored(store_url: str, shop: Shop) -> None:
    """Of the token in use and of the one before. Fails when a record keeps a secret itself."""
    first = await shop.send("/login/alice")
    second = await shop.send("/step-up", first.cookie)
    await shop.send("/add/apple", second.cookie)
    dump = dumped(store_url)
    assert second.token.id.encode() in dump
    for token in (first.token, second.token):
        for secret in (token.lineage, token.secret):
            raw = urlsafe_b64decode(secret + "==")
            for spelling in (raw, secret.encode(), b64encode(raw), raw.hex().encode()):
                windows = {spelling[at : at + 8] for at in range(len(spelling) - 7)}
                assert not [window for window in windows if window in dump]


async def test_what_is_stored_is_no_token(store: Store, shop: Shop) -> None:
    """Fails when a digest is taken for the secret it is of."""
    token = (await shop.send("/login/alice")).token
    record = await store.load(token.id)
    assert isinstance(record, Record)
    lineage, digest = map(text, (record.lineage_digest, record.digest))
    forged = f"{record.id}.{lineage}.{digest}"
    assert Token.parse(forged) is not None
    for value in (record.id, lineage, digest, forged):
        answer = await shop.send("/read", f"__Host-sid={value}")
        assert answer.body == {"subject": None, "data": {}}


def dumped(store_url: str) -> bytes:
    """Return all that is stored, as a thief finds it."""
    parts = urlsplit(store_url)
    if parts.scheme == "sqlite":
        return b"".join(path.read_bytes() for path in Path(parts.path[1:]).parent.iterdir())
    (prefix,) = parse_qs(parts.query)["prefix"]
    client: Any = driver.Redis(port=parts.port or 0)
    with client:
        keys: list[bytes] = list(client.scan_iter(f"{prefix}:*"))
        assert len(keys) == 2
        return b" ".join([*keys, *(value(client, key) for key in keys)])


def value(client: Any, key: bytes) -> bytes:
    """Return the value of a string, or the members of a sorted set."""
    if key.endswith(b":index"):
        return b" ".join(client.zrange(key, 0, -1))
    return bytes(client.get(key))


def text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


# 6


@pytest.mark.parametrize(
    "path", ["/read", "/put/key", "/count", "/rotate", "/login/bob", "/logout"]
)
async def test_unavailable_is_not_absent(store: Store, clock: Clock, path: str) -> None:
    """Fails when a store that does not answer is taken for one that found nothing."""
    is_down = False

    def fail(method: str) -> None:
        if is_down:
            raise StoreUnavailable(f"{method} was not answered")

    shop = Shop(spied(store, fail), clock=clock)
    cookie = (await shop.send("/login/alice")).cookie
    is_down = True
    answer = await shop.send(path, cookie)
    assert (answer.status, answer.cookies) == (503, [])
    assert "retry-after" in answer.headers
    assert (await shop.send("/ping", cookie)).status == 200
    is_down = False
    assert (await shop.send("/read", cookie)).body == {"subject": "alice", "data": {}}


async def test_absent_is_told_and_the_cookie_deleted(shop: Shop) -> None:
    """Fails when a client keeps sending what nobody knows."""
    cookie = (await shop.send("/login/alice")).cookie
    unknown = cookie.replace(cookie[len("__Host-sid=") :][:21], "A" * 21)
    answer = await shop.send("/read", unknown)
    assert answer.body["subject"] is None
    assert ["Max-Age=0" in line for line in answer.cookies] == [True]
    assert shop.happened(Happened.REFUSED) == 1
    assert shop.happened(Happened.UNAVAILABLE) == 0


# 7


@ON_EVERY
async def test_a_record_is_the_same_in_every_store(
    store: Store, shop: Shop, clock: Clock, tmp_path: Path
) -> None:
    """Carried from one store to another it opens with the same token, data and all.

    Fails when a store keeps a field in its own way, or leaves one out.
    """
    cookie = (await shop.send("/login/alice")).cookie
    answer = await shop.send("/step-up", cookie)
    await shop.send("/add/apple", answer.cookie)
    record = await store.load(answer.token.id)
    assert isinstance(record, Record)
    for other in (MemoryStore(), SQLiteStore(tmp_path / "other.db")):
        await other.save(record, None)
        assert await other.load(record.id) == record
        session = await Sessions(other, clock=clock).open(answer.token)
        assert (session.subject, session.assurance) == ("alice", 2)
        assert session == {"cart": {"apple": 1}}
        await other.close()


@ON_SHARED
async def test_a_session_made_in_a_thread_is_one_of_asyncio(store_url: str, shop: Shop) -> None:
    """Fails when the two write different records."""

    def make() -> Token | None:
        sessions = BlockingSessions(store_from_url(store_url, blocking=True))
        session = sessions.open(None)
        session.sign_in("alice")
        session["cart"] = {"apple": 1}
        token = sessions.commit(session).token
        sessions.close()
        return token

    token = await asyncio.to_thread(make)
    assert token is not None
    answer = await shop.send("/read", f"__Host-sid={token.reveal()}")
    assert answer.body == {"subject": "alice", "data": {"cart": {"apple": 1}}}
