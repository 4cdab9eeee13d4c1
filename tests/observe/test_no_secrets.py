"""R-107: no secret in any log, error, repr, trace or warning, whatever goes wrong.

Each test issues secrets, forces errors with everything at DEBUG, and searches all that was said.
"""

import asyncio
import inspect
import logging
import os
import random
import sqlite3
import warnings
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
import redis as redis_py

from coatcheck import (
    BlockingSessions,
    Event,
    Happened,
    Merge,
    Policy,
    Secrets,
    Session,
    Sessions,
    Store,
    Token,
    commit,
    store_from_url,
)
from coatcheck.core import fold
from coatcheck.core.presented import Presented
from coatcheck.errors import (
    CoatcheckError,
    ConfigurationError,
    InsecureTransport,
    MergeRefused,
    SecretInSession,
    SessionTooLarge,
    StoreUnavailable,
    Superseded,
    Unauthenticated,
)
from coatcheck.observe import Audit, JSONFile, JSONLog
from coatcheck.parts import log
from coatcheck.testing import Clock
from coatcheck.waiting import finish
from tests.observe.hunt import DATA, Hunt
from tests.servers import Server, redis_server


class Shop:
    """Sessions with every listener there is, and what their users hold."""

    def __init__(self, hunt: Hunt, store: Store, folder: Path, **settings: Any) -> None:
        self.hunt, self.clock = hunt, Clock()
        self.events: list[Event] = []
        audit = Audit(
            self.events.append, JSONFile(folder / "shop.audit"), JSONLog(), log, self.fail
        )
        policy = Policy(max_size=2_000, secrets=Secrets.REPORT)
        settings = {"policy": policy, "clock": self.clock, "on_event": audit, **settings}
        self.sessions = Sessions(store, **settings)

    def fail(self, event: Event) -> None:
        raise RuntimeError(f"no room for {event}")

    async def log_in(self, subject: str = "alice") -> Token:
        session = await self.sessions.open(None)
        session.sign_in(subject)
        session["address"] = DATA
        session["password"] = DATA
        return await self.commit(session)

    async def commit(self, session: Session) -> Token:
        outcome = await self.sessions.commit(session)
        self.hunt.show(session=session, state=session.state, outcome=outcome)
        assert outcome.token is not None
        return self.hunt.token(outcome.token)


@pytest.fixture
def shop(hunt: Hunt, store: Store, tmp_path: Path) -> Shop:
    return Shop(hunt, store, tmp_path, merge={"account": Merge.REFUSE})


async def test_whatever_a_session_lives_through(shop: Shop, hunt: Hunt) -> None:
    token = await shop.log_in()
    session = await shop.sessions.open(token)
    hunt.show(session=session, token=token, info=session.info)
    session.step_up(2)
    stale, token = token, await shop.commit(session)
    await shop.sessions.open(stale)
    forged = hunt.token(Token.mint(random.randbytes, token.id))
    await shop.sessions.open(forged)
    for standing in ("expired", "retired"):
        if standing == "expired":
            shop.clock.move(hours=1)
        else:
            await shop.sessions.end_all("alice")
        for _ in range(2):
            unseen = await shop.sessions.admit([Presented(token)])
            hunt.show(unseen=unseen, presented=Presented(token))
    await shop.sessions.flush()
    hunt.show(sessions=shop.sessions, events=shop.events, **vars(shop.sessions))
    assert len({event.kind for event in shop.events}) >= 5


async def test_what_cannot_be_stored(shop: Shop, hunt: Hunt) -> None:
    token = await shop.log_in()

    class Odd:
        def __repr__(self) -> str:
            return DATA

    values: list[Any] = [Odd(), {Odd(): 1}, [DATA, {"x": Odd()}], "\ud800" + DATA, {DATA, Odd()}]
    for value in values:
        session = await shop.sessions.open(token)
        session["odd"] = value
        with hunt.raises(TypeError):
            await shop.sessions.commit(session)
    session = await shop.sessions.open(token)
    session["large"] = DATA * 1_000
    with hunt.raises(SessionTooLarge):
        await shop.sessions.commit(session)
    session = await shop.sessions.open(token)
    session["large"] = DATA * 40
    await shop.sessions.commit(session)  # that is half of what is allowed


async def test_what_is_refused(shop: Shop, hunt: Hunt, store: Store, tmp_path: Path) -> None:
    token = await shop.log_in()
    first, second = [await shop.sessions.open(token) for _ in range(2)]
    first["account"] = second["account"] = DATA
    second["account"] += "!"
    await shop.sessions.commit(first)
    with hunt.raises(MergeRefused):
        await shop.sessions.commit(second)
    first, second, third = [await shop.sessions.open(token) for _ in range(3)]
    first["x"] = second["x"] = third["x"] = [DATA]
    second["x"] += ["!"]
    await shop.sessions.commit(first)
    await shop.sessions.commit(second)
    third.privilege_changed()
    token = await shop.commit(third)
    first["x"] = DATA + "?"
    with hunt.raises(Superseded):
        await shop.sessions.commit(first)
    late = await shop.sessions.open(token)
    late.privilege_changed()
    await shop.sessions.end_all("alice", actor="eve")
    with hunt.raises(Unauthenticated):
        await shop.sessions.commit(late)
    session = await shop.sessions.open(None)
    session["x"] = DATA
    session.state.is_deliverable = False
    with hunt.raises(InsecureTransport):
        await shop.sessions.commit(session)
    strict = Shop(hunt, store, tmp_path, policy=Policy(secrets=Secrets.REFUSE))
    with hunt.raises(SecretInSession):
        await strict.log_in()
    session = await shop.sessions.open(None)
    session["x"] = DATA
    with hunt.raises(ZeroDivisionError):
        session.edit(lambda data: 1 // 0)
    hunt.show(session=session, state=session.state)


async def test_a_record_that_cannot_be_read(
    hunt: Hunt, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "sessions.db"
    shop = Shop(hunt, store_from_url(f"sqlite:///{path}"), tmp_path)
    token = await shop.log_in()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE coatcheck_sessions SET record = record || CAST(? AS BLOB)", [DATA])
    db.close()
    session = await shop.sessions.open(token)
    hunt.show(session=session, state=session.state)
    await shop.sessions.flush()
    assert "record_unreadable" in caplog.text


@pytest.mark.parametrize("damage", ["a table is gone", "a trigger complains", "not a database"])
async def test_sqlite_fails(hunt: Hunt, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "sessions.db"
    shop = Shop(hunt, store_from_url(f"sqlite:///{path}"), tmp_path)
    token = await shop.log_in()
    session = await shop.sessions.open(token)
    session["x"] = DATA
    with sqlite3.connect(path) as db:
        if damage == "a table is gone":
            db.execute("DROP TABLE coatcheck_sessions")
        elif damage == "a trigger complains":
            db.execute(
                "CREATE TRIGGER t BEFORE UPDATE ON coatcheck_sessions BEGIN "
                "SELECT RAISE(ABORT, 'no'); END"
            )
    db.close()
    if damage == "not a database":
        await shop.sessions.close()
        path.write_bytes(DATA.encode() * 1_000)
    with hunt.raises(StoreUnavailable):
        await shop.sessions.commit(session)
        await shop.sessions.open(token)
    hunt.show(session=session, state=session.state)


PASSWORD = "hunter2-of-the-cache"
HOST = f"redis://default:{PASSWORD}@127.0.0.1"


@pytest.mark.parametrize(
    "trouble",
    ["gone", "wrong password", "no permission", "full", "another type", "no such command"],
)
@pytest.mark.parametrize("kind", ["asyncio", "threads"])
async def test_redis_fails(hunt: Hunt, tmp_path: Path, trouble: str, kind: str) -> None:
    """The driver's own words are repeated. Redis repeats arguments of a command it lacks."""
    hunt.secret("the store's password", PASSWORD)
    options = ["--requirepass", PASSWORD]
    if trouble == "no such command":
        options += ["--rename-command", "EVALSHA", ""]
    with redis_server(*options) as server:
        url = f"{HOST}:{server.port}/0"
        is_so = trouble == "no such command"
        spoil = None if is_so else partial(spoil_redis, server, trouble)
        failing = fail(hunt, url, kind, spoil)
        await (asyncio.to_thread(finish, failing) if kind == "threads" else failing)


def spoil_redis(server: Server, trouble: str) -> None:
    admin: Any = cast("Any", redis_py.Redis).from_url(f"{HOST}:{server.port}/0")
    if trouble == "gone":
        server.kill()
    elif trouble == "wrong password":
        admin.config_set("requirepass", "another")
        admin.client_kill_filter(skipme=True)
    elif trouble == "no permission":
        admin.execute_command("ACL", "SETUSER", "default", "-get", "-evalsha")
    elif trouble == "full":
        admin.config_set("maxmemory", "1")
    else:
        for key in admin.keys("coatcheck:s:*"):
            admin.delete(key)
            admin.lpush(key, DATA)
    admin.close()


async def fail(hunt: Hunt, url: str, kind: str, spoil: Callable[[], None] | None) -> None:
    """Log in, let it come to grief, and try whatever there is."""
    is_blocking = kind == "threads"
    store = store_from_url(url, blocking=is_blocking)
    sessions = BlockingSessions(store).inner if is_blocking else Sessions(store)
    session = await sessions.open(None)
    session.sign_in("alice")
    session["x"] = DATA
    if spoil is None:
        with hunt.raises(StoreUnavailable):
            await sessions.commit(session)
        await sessions.close()
        return
    outcome = await sessions.commit(session)
    assert outcome.token is not None
    token = hunt.token(outcome.token)
    session = await sessions.open(token)
    session["x"] += DATA
    session.privilege_changed()
    spoil()
    for attempt in (sessions.commit(session), sessions.open(token)):
        try:
            await attempt
        except CoatcheckError as error:
            hunt.error(error)
    assert hunt.raised
    unseen = await sessions.admit([Presented(token)])
    hunt.show(unseen=unseen, state=unseen.state, store=store, sessions=sessions)
    await sessions.close()


def test_wrong_settings_with_secrets_in_them(hunt: Hunt) -> None:
    hunt.secret("the password", PASSWORD)
    urls = [
        PASSWORD,
        f"mongodb://user:{PASSWORD}@host/0",
        f"sqlite://user:{PASSWORD}@host/0",
        f"sqlite:///x.db?synchronous={PASSWORD}",
        f"memory:{PASSWORD}",
        f"redis://user:{PASSWORD}@host/sessions",
        f"redis://user:{PASSWORD}@host:port/0",
        f"redis://[{PASSWORD}",
        f"redis://user:{PASSWORD}@host/0?socket_timeout=soon",
        f"redis://user:{PASSWORD}@host/0?socket_timeout=-1",
        f"redis://host/0?ssl_cert_reqs={PASSWORD}",
        f"rediss://user:{PASSWORD}@host/0?colour=red",
        f"unix://user:{PASSWORD}@/var/run?db={PASSWORD}",
        f"redis://host/0?password={PASSWORD}&retry=1",
    ]
    for url in urls:
        for blocking in (False, True):
            try:
                store_from_url(url, blocking=blocking)
            except ConfigurationError as error:
                hunt.error(error)
    assert len(hunt.raised) > 20
    stores: list[Any] = [
        store_from_url(f"{HOST}:1/0"),
        store_from_url(f"{HOST}:1/0", blocking=True),
    ]
    for store in stores:
        hunt.show(store=store, **vars(store))
        for make in (Sessions, BlockingSessions):
            try:
                make(store)
            except ConfigurationError as error:
                hunt.error(error)


async def test_what_a_commit_is_made_of(shop: Shop, hunt: Hunt, monkeypatch: Any) -> None:
    """It stands in frames that a traceback with local variables shows."""
    for module, name in ((fold, "apply"), (commit, "create")):
        monkeypatch.setattr(module, name, overheard(hunt, getattr(module, name)))
    token = await shop.log_in()
    session = await shop.sessions.open(token)
    session["x"] = DATA
    session.edit(lambda data: data.update(y=DATA))
    await shop.sessions.commit(session)
    page = await vars(shop.sessions)["_store"].page(None, None, 10)
    hunt.show(records=page.records, page=await shop.sessions.page())


def overheard(hunt: Hunt, function: Any) -> Any:
    """Return `function`, whose arguments and result are shown."""
    if inspect.iscoroutinefunction(function):

        async def later(*arguments: Any) -> Any:
            result = await function(*arguments)
            hunt.show(result=result)
            return result

        return later

    def now(*arguments: Any) -> Any:
        result = function(*arguments)
        hunt.show(change=arguments[0], stored=arguments[1], result=result)
        return result

    return now


async def test_asyncio_in_its_debug_mode(hunt: Hunt, store: Store, tmp_path: Path) -> None:
    """It logs each callback and task that is slow, here every one, and shows what they hold."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    shop = Shop(hunt, store, tmp_path)
    token = await shop.log_in()

    async def write(number: int) -> None:
        session = await shop.sessions.open(token)
        session[f"key {number % 3}"] = f"{DATA} {number}"
        await asyncio.sleep(0)
        await shop.sessions.commit(session)

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(write(number))
    shop.clock.move(minutes=10)
    session = await shop.sessions.open(token)
    await shop.sessions.commit(session)
    hunt.show(tasks=asyncio.all_tasks(), loop=loop)
    await shop.sessions.flush()


SECRET = Token.mint(random.randbytes)
RAW = SECRET.secret.encode()


class Loose(dict[str, str]):
    """Shows what it holds."""


LEAKS: dict[str, Callable[[Hunt], object]] = {
    "as it is": lambda hunt: hunt.hear("", f"cookie: {SECRET.reveal()}; x"),
    "a piece of it": lambda hunt: hunt.hear("", f"...{SECRET.secret[20:28]}..."),
    "a piece of the lineage": lambda hunt: hunt.hear("", f"{SECRET.lineage[:8]}..."),
    "the bytes": lambda hunt: hunt.hear("", repr(urlsafe_b64decode(SECRET.secret + "="))),
    "in hex": lambda hunt: hunt.hear("", urlsafe_b64decode(SECRET.secret + "=").hex()),
    "in base64": lambda hunt: hunt.hear("", b64encode(f"x{SECRET.secret}".encode()).decode()),
    "in base64, later": lambda hunt: hunt.hear("", b64encode(b"xy" + RAW).decode()),
    "quoted": lambda hunt: hunt.hear("", quote(DATA)),
    "a repr": lambda hunt: hunt.show(leak={"x": SECRET.secret}),
    "a subclass": lambda hunt: hunt.show(leak=Loose(x=SECRET.secret)),
    "an error": lambda hunt: hunt.error(ValueError(SECRET.secret)),
    "its cause": lambda hunt: hunt.error(caused(KeyError("x"), ValueError(SECRET.secret))),
    "its facts": lambda hunt: hunt.error(MergeRefused(SECRET.secret)),
}  # fmt: skip


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found(leak: str) -> None:
    """What the other tests find nothing by would find something."""
    hunt = Hunt()
    hunt.token(SECRET)
    hunt.secret("the data", DATA)
    hunt.hear("nothing", f"{SECRET} {SECRET.id}")
    assert hunt.hits == []
    LEAKS[leak](hunt)
    assert hunt.hits


@pytest.mark.parametrize(
    "where", ["log", "facts of the log", "error", "stderr", "warning", "audit"]
)
def test_a_leak_is_heard(where: str, ears: Any, tmp_path: Path) -> None:
    hunt = Hunt()
    hunt.token(SECRET)
    leak = SECRET.reveal()
    with ears.listen(hunt):
        match where:
            case "log":
                logging.getLogger("redis").debug("connecting as %s", leak)
            case "facts of the log":
                logging.getLogger("coatcheck").debug("something", extra={"fact": leak})
            case "error":
                try:
                    raise ValueError(leak)
                except ValueError:
                    logging.getLogger("asyncio").exception("failed")
            case "stderr":
                os.write(2, leak.encode())
            case "warning":
                warnings.warn(leak, ResourceWarning, stacklevel=1)
            case _:
                JSONFile(tmp_path / "x.audit")(Event(Happened.CREATED, 0, cause=leak))
    assert hunt.hits
