"""No acknowledged update is lost: in one process or two, by tasks or threads (R-018)."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from coatcheck import BlockingSessions, Store, Token, store_from_url
from coatcheck.testing import Clock
from coatcheck.waiting import Kind
from tests.chaos.actions import increment
from tests.chaos.shop import Shop
from tests.kinds import FORMS, IN_BOTH_FORMS, ON_EVERY, ON_SHARED

ROOT = Path(__file__).parents[2]


@ON_EVERY
@IN_BOTH_FORMS
@pytest.mark.parametrize("write", ["/put", "/add"])
async def test_fifty_requests_at_once_lose_no_key(shop: Shop, write: str) -> None:
    """All have the same data before any of them is saved.

    Fails when a refused save is repeated with the request's own data instead of a rebase.
    """
    cookie = (await shop.send("/login/alice")).cookie
    held = [await shop.hold(f"{write}/{n}", cookie) for n in range(50)]
    answers = await asyncio.gather(*(request.finish() for request in held))
    assert Counter(answer.status for answer in answers) == {200: 50}
    data = (await shop.send("/read", cookie)).body["data"]
    assert (data if write == "/put" else data["cart"]) == {str(n): 1 for n in range(50)}


@ON_EVERY
@IN_BOTH_FORMS
async def test_fifty_requests_at_once_are_counted_exactly(shop: Shop) -> None:
    """Fails when an `edit` is merged as a plain change instead of being run again."""
    cookie = (await shop.send("/login/alice")).cookie
    held = [await shop.hold("/count", cookie) for _ in range(50)]
    answers = await asyncio.gather(*(request.finish() for request in held))
    assert Counter(answer.status for answer in answers) == {200: 50}
    assert (await shop.send("/read", cookie)).body["data"] == {"count": 50}


@ON_SHARED
def test_two_processes_lose_nothing(store_url: str) -> None:
    """Tasks in one, threads in the other.

    Fails when a save does not compare what is stored with its base (S1).
    """
    token = signed_in(store_url)
    with ExitStack() as stack:
        workers = [
            stack.enter_context(worker(store_url, form, [token], name, 100))
            for form, name in zip(FORMS, "ab", strict=True)
        ]
        for process in workers:
            go(process)
        results = [result(process) for process in workers]
    assert results == [[100, []], [100, []]]
    data = read(store_url, token)
    keys = {f"{name}-{n}": n for name in "ab" for n in range(100)}
    assert data == {**keys, "cart": keys, "count": 200}


@ON_SHARED
def test_an_end_in_one_process_is_final_in_another(store_url: str) -> None:
    """What was acknowledged before the end went with it; nothing brings it back (R-029).

    Ten sessions end while each of them has a request under way, so that some end in its midst.
    Fails when a store saves whatever is stored (S1).
    """
    tokens = [signed_in(store_url) for _ in range(10)]
    with (
        worker(store_url, Kind.ASYNCIO, tokens, "a", 5_000) as process,
        blocking(store_url) as sessions,
    ):
        go(process)
        while not all("count" in sessions.open(token) for token in tokens):
            pass
        assert sessions.end_all("alice") == 10
        acknowledged, problems = result(process)
        assert 0 < acknowledged < 5_000
        assert problems == []
        assert [sessions.open(token).subject for token in tokens] == [None] * 10
        assert sessions.count() == 0


@ON_SHARED
def test_sixteen_threads_lose_nothing(store_url: str) -> None:
    """Fails when a save does not compare what is stored with its base (S1)."""
    token = signed_in(store_url)
    start = Barrier(16)

    def change(name: int) -> None:
        start.wait()
        for number in range(10):
            session = sessions.open(token)
            session.edit(increment)
            session[f"{name}-{number}"] = number
            sessions.commit(session)

    with blocking(store_url) as sessions, ThreadPoolExecutor(16) as pool:
        list(pool.map(change, range(16)))
    data = read(store_url, token)
    assert data == {f"{a}-{b}": b for a in range(16) for b in range(10)} | {"count": 160}


@ON_EVERY
@IN_BOTH_FORMS
async def test_who_cannot_get_through_is_refused_and_not_lost(
    shop: Shop, store: Store, form: Kind, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the bound on attempts ends in an answer of 200."""
    other = Shop(store, form=form, clock=clock)
    cookie = (await shop.send("/login/alice")).cookie
    held = [await shop.hold("/count", cookie) for _ in range(10)]
    assert (await other.send("/count", cookie)).status == 200
    monkeypatch.setattr("coatcheck.backoff.ATTEMPTS", 1)
    answers = await asyncio.gather(*(request.finish() for request in held))
    assert Counter(answer.status for answer in answers) == {503: 10}
    assert (await shop.send("/read", cookie)).body["data"] == {"count": 1}


@contextmanager
def blocking(url: str) -> Generator[BlockingSessions]:
    sessions = BlockingSessions(store_from_url(url, blocking=True))
    yield sessions
    sessions.close()


def signed_in(url: str) -> Token:
    with blocking(url) as sessions:
        session = sessions.open(None)
        session.sign_in("alice")
        token = sessions.commit(session).token
    assert token is not None
    return token


def read(url: str, token: Token) -> dict[str, Any]:
    with blocking(url) as sessions:
        return dict(sessions.open(token))


@contextmanager
def worker(
    url: str, form: Kind, tokens: list[Token], name: str, times: int
) -> Generator["subprocess.Popen[str]"]:
    """Start a process that waits for `go`."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "tests.chaos.worker"]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdin
            assert process.stdout
            task = json.dumps([url, form, [token.reveal() for token in tokens], name, times])
            process.stdin.write(f"{task}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def result(process: "subprocess.Popen[str]") -> Any:
    output, _ = process.communicate(timeout=110)
    return json.loads(output)
