"""How many sessions a user may have at once: what is over it ends, or is not let in (G4, R-043)."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from coatcheck import (
    AtLimit,
    BlockingSessions,
    Event,
    Happened,
    Holder,
    MemoryStore,
    Policy,
    Sessions,
    SQLiteStore,
    Standing,
    Store,
    Token,
    store_from_url,
)
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.errors import (
    ConfigurationError,
    SessionLimitReached,
    SessionTooLarge,
    StoreUnavailable,
    Unauthenticated,
    Undecodable,
)
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import Clock, make_tombstone
from tests.kinds import ON_DATABASES, ON_EVERY
from tests.sessions.browser import Browser, twin

THREE = Policy(max_sessions=3)
REFUSING = Policy(max_sessions=3, at_limit=AtLimit.REFUSE)


def limited(
    store: Store, clock: Clock, limit: int = 1, at_limit: AtLimit | None = None
) -> Sessions:
    policy = Policy(max_sessions=limit, at_limit=at_limit or AtLimit.END_OLDEST)
    return Sessions(store, policy=policy, clock=clock)


async def live(browsers: list[Browser]) -> list[bool]:
    """Tell of each browser whether it is signed in."""
    return [(await browser.see())[0] is not None for browser in browsers]


async def signed_in(sessions: Sessions, clock: Clock, number: int) -> list[Browser]:
    browsers = [Browser(sessions) for _ in range(number)]
    for browser in browsers:
        clock.move(seconds=1)
        await browser.sign_in("alice")
    return browsers


async def live_beside_a_newer(browsers: list[Browser]) -> list[bool]:
    """Sign in once more, and tell of all, the new one last, whether they are signed in."""
    newer = Browser(browsers[0].sessions)
    await newer.sign_in("alice")
    return await live([*browsers, newer])


async def test_the_oldest_ends_before_the_answer(store: Store, clock: Clock) -> None:
    """Fails when it lives on, another ends, or nobody can tell why."""
    events: list[Event] = []
    sessions = Sessions(store, policy=THREE, clock=clock, on_event=events.append)
    browsers = await signed_in(sessions, clock, 4)
    assert await live(browsers) == [False, True, True, True]
    session = await browsers[0].send()
    assert (session.standing, session.is_over) == (Standing.RETIRED, True)
    assert session.ended_because == Ended.EVICTED
    evicted = browsers[0].jar[Holder.SIGNED_IN].id
    ended = [event for event in events if event.kind is Happened.ENDED]
    assert [(e.id, e.subject, e.cause) for e in ended] == [(evicted, "alice", "evicted")]
    assert len(await sessions.list("alice")) == 3


async def test_one_too_many_is_refused(store: Store, clock: Clock) -> None:
    """Fails when it is let in, when another pays for it, or when the visitor does."""
    events: list[Event] = []
    sessions = Sessions(store, policy=REFUSING, clock=clock, on_event=events.append)
    browsers = await signed_in(sessions, clock, 3)
    visitor = Browser(sessions)
    await visitor.put(cart=1)
    session = await visitor.send()
    session.sign_in("alice")
    with pytest.raises(SessionLimitReached, match="3 times") as caught:
        await sessions.commit(session)
    assert (caught.value.limit, session.state.cookies) == (3, {})
    refused = [event for event in events if event.kind is Happened.SIGN_IN_REFUSED]
    assert [(event.subject, event.facts) for event in refused] == [("alice", {"limit": 3})]
    assert await live(browsers) == [True, True, True]
    assert await visitor.see() == (None, {"cart": 1})
    assert await sessions.count() == 4
    assert await sessions.count("alice") == 3
    await sessions.commit(session, discard=True)  # the application goes on, and says so
    assert (session.subject, dict(session)) == (None, {"cart": 1})
    await sessions.end(browsers[0].jar[Holder.SIGNED_IN].id, subject="alice")
    await visitor.sign_in("alice")
    assert await live([*browsers, visitor]) == [False, True, True, True]
    assert (await visitor.see())[1] == {"cart": 1}


@ON_EVERY
@pytest.mark.parametrize("at_limit", AtLimit)
async def test_parallel_logins_leave_as_many_as_may_be(
    store: Store, clock: Clock, at_limit: AtLimit
) -> None:
    """R-043: Fails when the sessions there are are counted before one more is added."""
    sessions = limited(store, clock, 3, at_limit)
    for before in (0, 2):
        await sessions.end_all("alice")
        clock.move(seconds=1)
        browsers = await signed_in(sessions, clock, before) if before else []
        parallel = [Browser(sessions) for _ in range(10)]

        answers = await asyncio.gather(*(browser.sign_in("alice") for browser in parallel))
        assert sum(await live(browsers + parallel)) == 3
        assert sum(await live(browsers)) == (before if at_limit == "refuse" else 0)
        if at_limit is AtLimit.REFUSE:
            statuses = sorted(answer.status for answer in answers)
            assert statuses == [200] * (3 - before) + [403] * (7 + before)
        assert len(await sessions.list("alice")) == 3


WORKER = """
import asyncio, sys
from coatcheck import AtLimit, Policy, Sessions, store_from_url
from coatcheck.errors import CoatcheckError

async def login(sessions):
    session = await sessions.open(None)
    session.sign_in("alice")
    try:
        print((await sessions.commit(session)).token.reveal(), flush=True)
    except CoatcheckError:
        pass

async def main():
    policy = Policy(max_sessions=3, at_limit=AtLimit(sys.argv[2]))
    sessions = Sessions(store_from_url(sys.argv[1]), policy=policy)
    await sessions.open(None)
    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(login(sessions) for _ in range(10)))
    await sessions.close()

asyncio.run(main())
"""


@ON_DATABASES
@pytest.mark.parametrize("at_limit", AtLimit)
async def test_two_processes_keep_one_limit(store_url: str, at_limit: AtLimit) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WORKER, store_url, at_limit),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    told = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    tokens = [Token.parse(line.decode()) for out, _ in told for line in out.split()]
    store = store_from_url(store_url)
    sessions = Sessions(store)
    opened = [await sessions.open(token) for token in tokens]
    assert [session.subject for session in opened].count("alice") == 3
    assert len(await sessions.list("alice")) == 3
    await store.close()


@pytest.mark.parametrize("at_limit", AtLimit)
async def test_expired_sessions_do_not_count(store: Store, clock: Clock, at_limit: AtLimit) -> None:
    """Fails when what is idle for too long takes the place of what is in use."""
    sessions = limited(store, clock, 2, at_limit)
    used, idle = await signed_in(sessions, clock, 2)
    clock.move(minutes=20)
    await used.see()
    await sessions.commit(await used.send())
    await sessions.flush()
    clock.move(minutes=15)
    assert await live_beside_a_newer([used, idle]) == [True, False, True]


@pytest.mark.parametrize("at_limit", AtLimit)
async def test_what_expired_is_not_kept_alive_by_a_late_touch(
    store: Store, clock: Clock, at_limit: AtLimit
) -> None:
    """Fails when it only does not count: recorded later, its activity makes it one too many."""
    sessions = limited(store, clock, 2, at_limit)
    idle, _ = await signed_in(sessions, clock, 2)
    record = await store.load(idle.jar[Holder.SIGNED_IN].id)
    assert isinstance(record, Record)
    clock.move(minutes=29)
    seen_at = clock()
    clock.move(seconds=80)
    others = await signed_in(sessions, clock, 2)
    await store.touch(record, seen_at)
    assert await live([idle, *others]) == [False, True, True]


async def test_visitors_do_not_count(store: Store, clock: Clock) -> None:
    sessions = limited(store, clock, 1)
    visitors = [Browser(sessions) for _ in range(3)]
    for browser in visitors:
        await browser.put(cart=1)
    alice, bob = Browser(sessions), Browser(sessions)
    await alice.sign_in("alice")
    await bob.sign_in("bob")
    assert await live([alice, bob]) == [True, True]
    assert [(await browser.see())[1] for browser in visitors] == [{"cart": 1}] * 3


@pytest.mark.parametrize("at_limit", AtLimit)
async def test_signing_in_again_is_no_further_session(
    store: Store, clock: Clock, at_limit: AtLimit
) -> None:
    """It is the newest then. Fails when it counts twice, ends itself, or stays the oldest."""
    sessions = limited(store, clock, 2, at_limit)
    first, second = await signed_in(sessions, clock, 2)
    clock.move(seconds=1)
    for browser in (first, first):
        assert (await browser.sign_in("alice")).status == 200
    assert await live([first, second]) == [True, True]
    if at_limit is AtLimit.END_OLDEST:
        assert await live_beside_a_newer([first, second]) == [True, False, True]


@pytest.mark.parametrize("at_limit", AtLimit)
async def test_the_session_that_is_replaced_does_not_count(
    store: Store, clock: Clock, at_limit: AtLimit
) -> None:
    """Another user's, a visitor's, or one that this very request ends."""
    sessions = limited(store, clock, 1, at_limit)
    browser = Browser(sessions)
    await browser.put(cart=1)
    for subject in ("alice", "bob", "alice"):
        assert (await browser.sign_in(subject)).status == 200
        assert (await browser.see())[0] == subject
    session = await browser.send()
    session.end()
    session.sign_in("alice")
    assert (await browser.finish(session)).status == 200
    assert (await browser.see())[0] == "alice"
    assert await sessions.count("bob") == 0


async def test_a_session_that_changed_hands_does_not_keep_its_owner_out(
    store: Store, clock: Clock
) -> None:
    """Whoever ends all of theirs and signs in ends the thief's too, which counts for nothing."""
    sessions = limited(store, clock, 1, AtLimit.REFUSE)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    thief = twin(browser)
    session = await browser.send()
    await sessions.end_all("alice", keep=session)
    theirs = await thief.send()
    theirs.step_up(2)
    await thief.finish(theirs)
    session.sign_in("alice")
    assert (await browser.finish(session)).status == 200
    assert await live([browser, thief]) == [True, False]


async def test_a_lower_limit_holds_from_the_next_sign_in_on(store: Store, clock: Clock) -> None:
    """A new policy with a shorter life does not make the newest session the oldest."""
    long = Policy(absolute=timedelta(hours=12))
    browsers = await signed_in(Sessions(store, policy=long, clock=clock), clock, 5)
    short = Policy(absolute=timedelta(hours=1), max_sessions=3)
    sessions = Sessions(store, policy=short, clock=clock)
    assert await live(browsers) == [True] * 5
    newest = Browser(sessions)
    await newest.sign_in("alice")
    assert await live([*browsers, newest]) == [False] * 3 + [True] * 3


async def test_a_lower_limit_lets_who_is_in_sign_in_again(store: Store, clock: Clock) -> None:
    """Fails when a session that is there is refused for the sake of the others."""
    browsers = await signed_in(Sessions(store, clock=clock), clock, 5)
    sessions = Sessions(store, policy=REFUSING, clock=clock)
    for browser in browsers:
        browser.sessions = sessions
    assert (await browsers[0].sign_in("alice")).status == 200
    assert await live(browsers) == [True] * 5
    assert (await Browser(sessions).sign_in("alice")).status == 403


async def test_clocks_that_differ_do_not_end_the_newest(store: Store, clock: Clock) -> None:
    """Fails when the time of a sign-in says which is the oldest."""
    behind = Clock(clock.ms - 30_000)
    here, there = limited(store, clock), limited(store, behind)
    first = Browser(here)
    await first.sign_in("alice")
    second = Browser(there)
    await second.sign_in("alice")
    assert await live([first, second]) == [False, True]


async def test_a_record_that_was_never_listed_counts_for_nothing(
    store: Store, clock: Clock
) -> None:
    """A server crashed between the two, and nobody has its token."""
    sessions = limited(store, clock, 1, AtLimit.REFUSE)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    left = await store.load(browser.jar[Holder.SIGNED_IN].id)
    assert isinstance(left, Record)
    await sessions.end(left.id)
    await store.save(left._replace(id=Token.mint(lambda size: b"x" * size).id), None)
    assert (await Browser(sessions).sign_in("alice")).status == 200


@pytest.mark.parametrize("at_limit", AtLimit)
async def test_an_entry_without_a_record_counts_for_nothing(
    store: Store, clock: Clock, at_limit: AtLimit
) -> None:
    """A server crashed after it had ended a session, before it removed the entry."""
    sessions = limited(store, clock, 2, at_limit)
    first, second = await signed_in(sessions, clock, 2)
    await store.end(make_tombstone(second.jar[Holder.SIGNED_IN].id))
    assert await live_beside_a_newer([first, second]) == [True, False, True]


class Interrupted(RedisStore):
    """Loses the answer to an `enlist`, and lets something happen before it is asked again."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def enlist(
        self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
    ) -> list[str] | None:
        listed = await super().enlist(record, opened_at, own_bar, limit)
        if self.meanwhile is None:
            return listed
        happen, self.meanwhile = self.meanwhile, None
        await happen()
        raise StoreUnavailable("no answer")


@pytest.mark.parametrize("store_url", ["redis"], indirect=True)
async def test_who_was_ended_by_a_newer_one_ends_nobody(store_url: str, clock: Clock) -> None:
    """Fails when a sign-in that repeats itself takes the place of the one that came after it."""
    store = Interrupted.from_url(store_url)
    assert isinstance(store, Interrupted)
    sessions = limited(store, clock)
    first, second = Browser(sessions), Browser(sessions)
    store.meanwhile = lambda: second.sign_in("alice")
    assert (await first.sign_in("alice")).status == 401
    assert await live([first, second]) == [False, True]
    await store.close()


class Failing(MemoryStore):
    """Cannot end anything for a while."""

    is_down = False

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        if self.is_down and tombstone.why == Ended.EVICTED:
            raise StoreUnavailable("away")
        return await super().end(tombstone, base)


async def test_nobody_signs_in_while_the_oldest_cannot_be_ended(clock: Clock) -> None:
    """Fails closed: and what was signed in by then is taken back."""
    store = Failing()
    sessions = limited(store, clock)
    first, second = Browser(sessions), Browser(sessions)
    await first.sign_in("alice")
    store.is_down = True
    assert (await second.sign_in("alice")).status == 503
    assert await live([first, second]) == [True, False]
    assert await sessions.count() == 1
    store.is_down = False
    assert (await second.sign_in("alice")).status == 200
    assert await live([first, second]) == [False, True]


async def test_signing_in_again_in_vain_ends_nobody(store: Store, clock: Clock) -> None:
    """Fails when the surplus ends before the session is saved, as that may be refused."""
    browsers = await signed_in(Sessions(store, clock=clock), clock, 3)
    sessions = Sessions(store, policy=Policy(max_sessions=1, max_size=300), clock=clock)
    newest = browsers[-1]
    newest.sessions = sessions
    session = await newest.send()
    session.sign_in("alice")
    session["much"] = "x" * 400
    with pytest.raises(SessionTooLarge):
        await sessions.commit(session)
    assert await live(browsers) == [True] * 3
    assert (await newest.sign_in("alice")).status == 200
    assert await live(browsers) == [False, False, True]


async def test_who_signs_in_again_goes_on_while_the_oldest_cannot_be_ended(clock: Clock) -> None:
    """It is no further session, and its old token is dead; the next sign-in ends what is left."""
    store, events = Failing(), list[Event]()
    browsers = await signed_in(Sessions(store, clock=clock), clock, 3)
    policy = Policy(max_sessions=2)
    sessions = Sessions(store, policy=policy, clock=clock, on_event=events.append)
    newest = browsers[-1]
    newest.sessions = sessions
    store.is_down = True
    assert (await newest.sign_in("alice")).status == 200
    assert await live(browsers) == [True] * 3
    assert Happened.UNAVAILABLE in [event.kind for event in events]
    store.is_down = False
    assert (await newest.sign_in("alice")).status == 200
    assert await live(browsers) == [False, True, True]


async def test_who_signs_in_again_and_is_ended_by_a_newer_one_ends_nobody(clock: Clock) -> None:
    """As with a new session. Fails when it takes the place of the one that came after it."""

    class Overtaken(MemoryStore):
        meanwhile: Callable[[], Awaitable[object]] | None = None

        async def save(self, record: Record, base: Record | None, /) -> None:
            await super().save(record, base)
            if self.meanwhile is not None and base is not None:
                happen, self.meanwhile = self.meanwhile, None
                await happen()

    store = Overtaken()
    old, again = await signed_in(Sessions(store, clock=clock), clock, 2)
    again.sessions = sessions = limited(store, clock)
    newer = Browser(sessions)
    store.meanwhile = lambda: newer.sign_in("alice")
    assert (await again.sign_in("alice")).status == 401
    assert await live([old, again, newer]) == [False, False, True]


async def test_what_another_version_wrote_counts(clock: Clock) -> None:
    """Fails when a session that this version cannot read is ended as if it were over."""

    class Newer(MemoryStore):
        unreadable = ""

        async def load(self, id: str, /) -> Stored:
            if id == self.unreadable:
                raise Undecodable("of another version")
            return await super().load(id)

    store = Newer()
    sessions = limited(store, clock, 1, AtLimit.REFUSE)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    store.unreadable = browser.jar[Holder.SIGNED_IN].id
    assert (await Browser(sessions).sign_in("alice")).status == 403


def test_threads_keep_the_limit(tmp_path: Path) -> None:
    sessions = BlockingSessions(SQLiteStore(tmp_path / "sessions.db"), policy=THREE)

    def sign_in(_: int) -> Token | None:
        session = sessions.open(None)
        session.sign_in("alice")
        try:
            return sessions.commit(session).token
        except Unauthenticated:  # three newer ones came before the answer
            return None

    with ThreadPoolExecutor(10) as pool:
        tokens = list(pool.map(sign_in, range(10)))
    assert [sessions.open(token).subject for token in tokens].count("alice") == 3
    sessions.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("max_sessions", 0), ("max_sessions", True), ("max_sessions", 2.0), ("at_limit", "refuse")],
)
def test_a_limit_that_cannot_be_is_named(setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"Policy.{setting}"):
        Policy(**{setting: value})
