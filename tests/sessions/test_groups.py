"""Commits of one session in one process join (J1 to J6): one save holds them all."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from coatcheck import BlockingSessions, Done, Merge, Policy, Session, Sessions
from coatcheck.core.record import Record
from coatcheck.errors import SessionTooLarge, StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock
from coatcheck.waiting import Kind
from tests.sessions.browser import Answer, Browser


class HeldStore(MemoryStore):
    """Holds saves up, once it is told to, until `go`; counts those it carried out."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.saves = 0
        self.begun = asyncio.Event()
        self._free = asyncio.Event()
        self._free.set()
        self.fails = False

    def hold(self) -> None:
        self.saves = 0
        self.begun.clear()
        self._free.clear()

    def go(self) -> None:
        self._free.set()

    async def save(self, record: Record, base: Record | None, /) -> None:
        self.begun.set()
        await self._free.wait()
        if self.fails:
            raise StoreUnavailable("no answer")
        await super().save(record, base)
        self.saves += 1

    async def load(self, id: str, /) -> Any:
        if self.fails:
            raise StoreUnavailable("no answer")
        return await super().load(id)


class Busy:
    """A browser one of whose requests is being saved; the others queue behind it."""

    def __init__(self, store: HeldStore, sessions: Sessions) -> None:
        self.store, self.browser = store, Browser(sessions)
        self.requests: list[asyncio.Task[Answer]] = []
        self.committed: list[Session] = []

    async def start(self, **data: object) -> None:
        await self.browser.sign_in("alice", **data)
        self.sessions = [await self.browser.send() for _ in range(10)]
        self.store.hold()
        self.first = await self.commit(lambda session: session.update(first=1))
        await self.store.begun.wait()

    async def commit(self, change: Callable[[Session], object]) -> Callable[[], Answer]:
        """Let a request queue; return what tells its answer, once it has one."""
        session = self.sessions.pop()
        self.committed.append(session)
        change(session)
        task = asyncio.create_task(self.browser.finish(session))
        self.requests.append(task)
        await asyncio.sleep(0)  # it is in the queue now
        return task.result

    async def answers(self) -> list[Answer]:
        self.store.go()
        return await asyncio.gather(*self.requests)

    async def data(self) -> dict[str, object]:
        return (await self.browser.see())[1]


@pytest.fixture(params=[Kind.ASYNCIO, Kind.EITHER])
async def store(request: pytest.FixtureRequest) -> HeldStore:
    """One that always waits, and one that usually does not, whose save begins at once."""
    return HeldStore(request.param)


@pytest.fixture
def sessions(store: HeldStore, clock: Clock) -> Sessions:
    policy = Policy(max_size=2_000)
    return Sessions(store, clock=clock, policy=policy, merge={"no": Merge.REFUSE})


@pytest.fixture
async def busy(store: HeldStore, sessions: Sessions) -> Busy:
    return Busy(store, sessions)


def put(**data: object) -> Callable[[Session], object]:
    return lambda session: session.update(data)


def step_up_with_secret(session: Session) -> None:
    session.step_up(2)
    session["secret"] = 1


def increment(data: dict[str, Any]) -> None:
    data["n"] = data.get("n", 0) + 1


async def test_all_that_waits_is_one_save(busy: Busy) -> None:
    """Fails when each commit saves by itself."""
    await busy.start()
    for number in range(9):
        await busy.commit(put(**{f"k{number}": number}))
    assert {answer.status for answer in await busy.answers()} == {200}
    assert await busy.data() == {"first": 1, **{f"k{n}": n for n in range(9)}}
    assert busy.store.saves == 2, "the one that was under way, and one for the nine that waited"


async def test_an_edit_counts_each_of_those_that_join(busy: Busy) -> None:
    await busy.start()
    for _ in range(9):
        await busy.commit(lambda session: session.edit(increment))
    await busy.answers()
    assert await busy.data() == {"first": 1, "n": 9}


async def test_each_is_decided_on_what_the_one_before_it_left(busy: Busy) -> None:
    """J1: a change from before a step-up in the same save. Fails when it is laid over it."""
    await busy.start()
    before = await busy.commit(put(before=1))
    step_up = await busy.commit(lambda session: session.step_up(2))
    after = await busy.commit(put(after=1))
    second = await busy.commit(lambda session: session.privilege_changed())
    await busy.answers()
    assert [answer().status for answer in (before, step_up, after, second)] == [
        200, 200, 409, 409,
    ]  # fmt: skip
    assert await busy.data() == {"first": 1, "before": 1}
    assert busy.store.saves == 2


async def test_nobody_gets_the_cookie_of_another(busy: Busy) -> None:
    """J3, fixation: an old token waits beside a step-up. Fails when all are told alike."""
    await busy.start()
    before = await busy.commit(put(before=1))
    step_up = await busy.commit(lambda session: session.step_up(2))
    after = await busy.commit(put(after=1))
    await busy.answers()
    assert [answer().cookie for answer in (before, step_up, after)] == ["-", "set", "-"]


async def test_each_draws_a_number_of_its_own(busy: Busy) -> None:
    """J3: what `edit` counted, read after the commit. Fails when all are shown the last one's."""
    await busy.start()
    for _ in range(5):
        await busy.commit(lambda session: session.edit(increment))
    await busy.answers()
    assert [session["n"] for session in busy.committed[1:]] == [1, 2, 3, 4, 5]


async def test_nobody_goes_on_with_the_lineage_of_another(busy: Busy) -> None:
    """J3: fails when a request of an older lineage is shown, and goes on with, the newer one."""
    await busy.start()
    await busy.answers()
    busy.store.hold()
    session = busy.sessions[-1]
    await busy.commit(put(more=1))
    await busy.store.begun.wait()
    old, stepped = busy.sessions[-1], busy.sessions[-2]
    await busy.commit(put(old=1))
    await busy.commit(step_up_with_secret)
    await busy.answers()
    assert "secret" in stepped
    assert "secret" not in old
    assert "secret" not in session
    old["again"] = 1
    assert (await Browser(busy.browser.sessions).finish(old)).status == 409
    assert "again" not in await busy.data()


async def test_after_an_end_nothing_of_those_that_wait_is_saved(
    busy: Busy, store: HeldStore
) -> None:
    """J2: fails when a fold goes on from what was saved last."""
    await busy.start()
    waiting = [await busy.commit(put(n=n)) for n in range(3)]
    ended = busy.sessions.pop()
    ended.end()
    assert (await busy.browser.sessions.commit(ended)).done is Done.ENDED
    await busy.answers()
    outcomes = [answer().outcome for answer in (busy.first, *waiting)]
    assert [outcome.done for outcome in outcomes if outcome] == [Done.DROPPED] * 4
    assert store.saves == 0
    assert await busy.browser.sessions.count() == 0


async def test_taking_the_last_key_out_ends_the_session_for_those_behind(busy: Busy) -> None:
    """J2: fails when the change behind it is folded into what has ended."""
    await busy.start(last=1)

    def empty(data: dict[str, Any]) -> None:
        for key in list(data):
            del data[key]

    beside = await busy.commit(put(beside=1))
    last_out = await busy.commit(lambda session: session.edit(empty))
    behind = await busy.commit(put(behind=1))
    await busy.answers()
    outcomes = [answer().outcome for answer in (beside, last_out, behind)]
    assert [o and o.done for o in outcomes] == [Done.SAVED, Done.ENDED, Done.DROPPED]
    assert (await busy.browser.sessions.count()) == 0


async def test_one_that_cannot_be_applied_is_left_out(busy: Busy) -> None:
    """J4: fails when its failure is everybody's."""
    await busy.start(no=1)

    def fail(data: dict[str, Any]) -> None:
        data["half"] = 1
        if "first" in data:
            raise LookupError("no such thing")

    await busy.commit(put(a=1, no=2))
    await busy.commit(put(no=3))
    await busy.commit(put(large="x" * 3_000))
    await busy.commit(lambda session: session.edit(fail))
    await busy.commit(put(b=1))
    busy.store.go()
    results = await asyncio.gather(*busy.requests, return_exceptions=True)
    statuses = [each.status if isinstance(each, Answer) else type(each) for each in results]
    assert statuses == [200, 200, 409, SessionTooLarge, LookupError, 200]
    assert await busy.data() == {"first": 1, "no": 2, "a": 1, "b": 1}


async def test_no_answer_is_unavailable_for_all(busy: Busy) -> None:
    """J5: fails when one of them is told that it is saved, or that it is not."""
    await busy.start()
    waiting = [
        await busy.commit(put(a=1)),
        await busy.commit(lambda session: session.privilege_changed()),
    ]
    busy.store.fails = True
    await busy.answers()
    assert [answer().status for answer in (busy.first, *waiting)] == [503, 503, 503]
    assert [answer().cookie for answer in waiting] == ["-", "-"]
    busy.store.fails = False
    assert (await busy.browser.put(later=1)).status == 200, "the next one starts afresh"


@pytest.mark.parametrize("when", ["at once", "in mid-save"])
async def test_a_save_outlives_the_request_that_leads_it(
    store: HeldStore, sessions: Sessions, when: str
) -> None:
    """J6: fails when the leader's cancellation cancels the save, or leaves the others waiting."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    leader, other = await browser.send(), await browser.send()
    leader["leader"], other["other"] = 1, 1
    store.hold()
    tasks = [asyncio.create_task(browser.finish(session)) for session in (leader, other)]
    await asyncio.sleep(0)
    if when == "in mid-save":
        await store.begun.wait()
    tasks[0].cancel()
    store.go()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert isinstance(results[1], Answer)
    assert results[1].status == 200
    assert (await browser.see())[1] == {"leader": 1, "other": 1}


async def test_a_loop_that_stops_leaves_nobody_waiting(busy: Busy) -> None:
    """Fails when the task that saves ends without a word to those that wait."""
    await busy.start()
    await busy.commit(put(a=1))
    for task in asyncio.all_tasks() - {*busy.requests, asyncio.current_task()}:
        task.cancel()
    assert [answer.status for answer in await busy.answers()] == [503, 503]


async def test_a_save_cancelled_before_it_began_leaves_nobody_waiting(
    store: HeldStore, sessions: Sessions
) -> None:
    """Fails when only what has begun can end: then this session waits for ever."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    session = await browser.send()
    session["a"] = 1
    store.hold()
    before = asyncio.all_tasks()
    request = asyncio.create_task(browser.finish(session))
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - before - {request}:
        task.cancel()
    async with asyncio.timeout(60):
        assert (await request).status == 503
        store.go()
        assert (await browser.put(b=1)).status == 200


async def test_each_request_has_an_error_of_its_own(store: HeldStore, sessions: Sessions) -> None:
    """Its traceback shows what the request held. Fails when all raise the same one."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    opened = [await browser.send() for _ in range(3)]
    for number, session in enumerate(opened):
        session[f"k{number}"] = number
    store.hold()
    commits = [asyncio.create_task(sessions.commit(session)) for session in opened]
    await store.begun.wait()
    store.fails = True
    store.go()
    errors = await asyncio.gather(*commits, return_exceptions=True)
    assert {type(error) for error in errors} == {StoreUnavailable}
    assert len({id(error) for error in errors}) == 3


async def test_one_sessions_commits_do_not_wait_for_anothers(
    busy: Busy, sessions: Sessions
) -> None:
    await busy.start()
    other = Browser(sessions)
    request = asyncio.create_task(other.sign_in("bob"))
    another = asyncio.create_task(other.finish(await Browser(sessions).send()))
    assert (await another).status == 200
    await busy.answers()
    assert (await request).status == 200


def thread_waits(thread: threading.Thread) -> bool:
    """Tell whether a thread waits for its turn to save."""
    frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
    return frame is not None and frame.f_code.co_name == "_save_in_thread"


def test_threads_join_too(clock: Clock) -> None:
    """Fails when each thread saves by itself."""
    in_save, may_save = threading.Event(), threading.Event()

    class Held(MemoryStore):
        saves = 0

        async def save(self, record: Record, base: Record | None, /) -> None:
            if base is not None:
                in_save.set()
                assert may_save.wait(60)
                self.saves += 1
            await super().save(record, base)

    store = Held()
    sessions = BlockingSessions(store, clock=clock)
    session = sessions.open(None)
    session.sign_in("alice")
    token = sessions.commit(session).token
    opened = [sessions.open(token) for _ in range(8)]
    request_of: ContextVar[int] = ContextVar("request_of")

    def note(data: dict[str, Any]) -> None:
        data.setdefault("by", {})[str(request_of.get())] = 1

    def commit(number: int) -> Done:
        request_of.set(number)
        opened[number].edit(note)
        return sessions.commit(opened[number]).done

    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(commit, 0)]
        assert in_save.wait(60)
        results += [pool.submit(commit, number) for number in range(1, 8)]
        while sum(thread_waits(thread) for thread in threading.enumerate()) < 7:
            pass
        may_save.set()
        assert [result.result() for result in results] == [Done.SAVED] * 8
    assert dict(sessions.open(token)) == {"by": {str(n): 1 for n in range(8)}}
    assert store.saves == 2


def test_a_child_does_not_wait_for_threads_it_has_not(clock: Clock) -> None:
    """A fork while another thread saves. Fails when the child goes on with the parent's groups."""
    in_save, may_save = threading.Event(), threading.Event()

    class Held(MemoryStore):
        async def save(self, record: Record, base: Record | None, /) -> None:
            if threading.current_thread().name == "held":
                in_save.set()
                assert may_save.wait(60)
            await super().save(record, base)

    sessions = BlockingSessions(Held(), clock=clock)
    session = sessions.open(None)
    session.sign_in("alice")
    token = sessions.commit(session).token

    def put(key: str) -> None:
        session = sessions.open(token)
        session[key] = 1
        sessions.commit(session)

    thread = threading.Thread(target=put, args=["a"], name="held")
    thread.start()
    assert in_save.wait(60)
    if (child := os.fork()) == 0:
        signal.alarm(60)
        put("b")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    may_save.set()
    thread.join()
    assert status == 0


async def test_an_edit_runs_again_in_the_context_of_its_own_request(busy: Busy) -> None:
    """Fails when it runs in that of whoever saves: `request` of a framework is another's there."""
    user: ContextVar[str] = ContextVar("user")
    await busy.start()
    for name in ("ann", "ben"):
        user.set(name)
        await busy.commit(lambda session: session.edit(lambda data: data.update({user.get(): 1})))
    user.set("nobody")
    await busy.answers()
    assert await busy.data() == {"first": 1, "ann": 1, "ben": 1}


async def test_what_is_set_during_a_commit_stays_for_the_next(
    busy: Busy, sessions: Sessions
) -> None:
    """Two tasks on one socket. Fails when the commit shows what is stored, and nothing else."""
    await busy.start()
    await busy.commit(put(ours=1))
    shared = busy.committed[-1]
    shared["late"] = {"n": 1}
    await busy.answers()
    assert dict(shared) == {"first": 1, "ours": 1, "late": {"n": 1}}
    assert await busy.data() == {"first": 1, "ours": 1}
    await sessions.commit(shared)
    assert await busy.data() == {"first": 1, "ours": 1, "late": {"n": 1}}


async def test_a_default_that_was_lent_is_none_of_what_is_set_during_a_commit(
    busy: Busy, sessions: Sessions
) -> None:
    """Fails when it stays in the dict as something to be saved."""

    def put_and_look(session: Session) -> None:
        session["ours"] = 1
        session.state.lend(session, "cart", [])

    await busy.start()
    await busy.commit(put_and_look)
    shared = busy.committed[-1]
    shared["late"] = 1
    await busy.answers()
    assert dict(shared) == {"first": 1, "ours": 1, "late": 1}
    await sessions.commit(shared)
    assert await busy.data() == {"first": 1, "ours": 1, "late": 1}


async def test_whatever_a_commit_would_drop_is_refused_during_it(
    busy: Busy, sessions: Sessions
) -> None:
    """Fails for each when it is not, and then has no effect, or is carried out twice."""
    await busy.start()
    await busy.commit(put(ours=1))
    shared = busy.committed[-1]
    for ask in (
        shared.end,
        shared.clear,
        shared.privilege_changed,
        lambda: shared.sign_in("alice"),
        lambda: shared.step_up(2),
        lambda: shared.edit(increment),
    ):
        with pytest.raises(RuntimeError, match="another task is committing this session"):
            ask()
    with pytest.raises(RuntimeError, match="another task"):
        await sessions.commit(shared)
    await busy.answers()
    assert dict(shared) == await busy.data() == {"first": 1, "ours": 1}
    shared.edit(increment)
    await sessions.commit(shared)
    assert await busy.data() == {"first": 1, "ours": 1, "n": 1}


async def test_a_commit_that_fails_or_is_cancelled_lets_the_next_begin(
    busy: Busy, sessions: Sessions, store: HeldStore
) -> None:
    """Fails when the session is thought to be in the middle of a commit for good."""
    await busy.start()
    await busy.commit(put(ours=1))
    busy.requests[-1].cancel()
    await asyncio.sleep(0)
    busy.committed[-1].end()
    store.go()
    assert (await sessions.commit(busy.committed[-1])).done is Done.ENDED
