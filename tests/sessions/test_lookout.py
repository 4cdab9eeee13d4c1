"""What a session has open is over when the session is, wherever that happened."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from datetime import timedelta

import pytest

from coatcheck import BlockingSessions, Policy, Session, Sessions, Store, Token, store_from_url
from coatcheck.core.fate import Fate
from coatcheck.core.presented import Presented
from coatcheck.core.record import Record, Stored
from coatcheck.errors import ConfigurationError, Undecodable
from coatcheck.lookout import Watched
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock
from coatcheck.waiting import finish
from tests.web.spy import Spy

SOON = Policy(watch_every=timedelta(milliseconds=20))
HARDLY_EVER = Policy(watch_every=timedelta(minutes=1))
PATIENCE = 60


class Open:
    """Something that is open, and how it ended."""

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self.fates: list[Fate] = []
        self._over = asyncio.Event()
        watched = sessions.watch(session, self._end)
        assert watched is not None
        self.watched: Watched = watched

    def _end(self, fate: Fate) -> None:
        self.fates.append(fate)
        self._over.set()

    async def over(self) -> Fate:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._over.wait()
        assert self.fates, "it is still open"
        (fate,) = self.fates
        return fate


def is_due(watched: Watched) -> bool:
    """Ask anew; what is asserted of an attribute is taken to stay so."""
    return watched.is_due


async def sign_in(sessions: Sessions, subject: str = "alice") -> tuple[Session, Token]:
    session = await sessions.open(None)
    session.sign_in(subject)
    outcome = await sessions.commit(session)
    assert outcome.token is not None
    return session, outcome.token


CHANGES: dict[str, Callable[[Session], None]] = {
    "logout": Session.end,
    "rotate": Session.privilege_changed,
    "step_up": lambda session: session.step_up(2),
    "sign_in_as_another": lambda session: session.sign_in("bob"),
}
"""What a request does with its own session."""


async def end(sessions: Sessions, how: str, token: Token) -> None:
    """Let alice's session not be what `token` opens any more."""
    if how == "end":
        assert await sessions.end(token.id)
    elif how == "end_all":
        assert await sessions.end_all("alice")
    elif how == "end_everything":
        await sessions.end_everything()
    else:
        session = await sessions.open(token)
        CHANGES[how](session)
        await sessions.commit(session)


@pytest.fixture
def spy(store: Store) -> Spy:
    return Spy(store)


@pytest.fixture
def sessions(spy: Spy, clock: Clock) -> Sessions:
    return Sessions(spy.store, policy=SOON, clock=clock)


@pytest.fixture
async def elsewhere(store_url: str, spy: Spy, clock: Clock) -> AsyncGenerator[Sessions]:
    """Another process, as far as events are concerned."""
    store = spy.behind if store_url == "memory:" else store_from_url(store_url)
    yield Sessions(store, clock=clock)
    await store.close()


@pytest.fixture
def quiet(spy: Spy, clock: Clock) -> Sessions:
    """Sessions that only look when they are told to."""
    return Sessions(spy.store, policy=HARDLY_EVER, clock=clock)


@pytest.mark.parametrize("how", ["end", "end_all", "rotate", "step_up", "sign_in_as_another"])
async def test_an_end_elsewhere_is_noticed(
    sessions: Sessions, elsewhere: Sessions, how: str
) -> None:
    session, token = await sign_in(sessions)
    socket = Open(sessions, session)
    await end(elsewhere, how, token)
    assert await socket.over() is Fate.ENDED


async def act(sessions: Sessions) -> Session:
    """Return an administrator's session, who acts as alice."""
    session, _ = await sign_in(sessions, "admin")
    session.impersonate("alice")
    await sessions.commit(session)
    return session


async def test_an_impersonation_is_over_with_the_sessions_of_its_actor(
    sessions: Sessions, elsewhere: Sessions
) -> None:
    """Fails when only those under the actor's own name are looked at."""
    socket, other = Open(sessions, await act(sessions)), Open(sessions, await act(sessions))
    assert await socket.watched.look()
    await elsewhere.end_all("carol")
    assert await socket.watched.look()
    await elsewhere.end_all("admin")
    assert [await socket.over(), await other.over()] == [Fate.ENDED] * 2


async def test_an_impersonation_whose_actor_is_ended_here_is_over_at_once(quiet: Sessions) -> None:
    socket = Open(quiet, await act(quiet))
    own, _ = await sign_in(quiet)
    other = Open(quiet, own)
    await quiet.end_all("admin")
    assert is_due(socket.watched)
    assert await socket.over() is Fate.ENDED
    assert other.fates == []
    other.watched.leave()


async def test_an_outage_of_the_question_about_the_actor_is_an_outage(
    quiet: Sessions, spy: Spy, clock: Clock
) -> None:
    socket = Open(quiet, await act(quiet))
    spy.down = {"is_barred"}
    assert await socket.watched.look()
    clock.move(minutes=1)
    assert not await socket.watched.look()
    assert await socket.over() is Fate.UNAVAILABLE


@pytest.mark.parametrize("how", ["end", "end_all", "end_everything"])
async def test_no_message_passes_between_an_end_and_the_look_at_it(
    quiet: Sessions, how: str
) -> None:
    """R-109: the answer to a logout is on its way, and the look at the store is not done yet."""
    session, token = await sign_in(quiet)
    socket = Open(quiet, session)
    assert not is_due(socket.watched)
    await end(quiet, how, token)
    assert is_due(socket.watched)
    assert await socket.over() is Fate.ENDED


async def test_a_password_change_ends_all_but_what_it_made(
    sessions: Sessions, elsewhere: Sessions
) -> None:
    session, token = await sign_in(sessions)
    socket = Open(sessions, session)
    theirs = await elsewhere.open(token)
    await elsewhere.end_all("alice", keep=theirs)
    theirs.sign_in("alice")
    outcome = await elsewhere.commit(theirs)
    assert await socket.over() is Fate.ENDED
    again = Open(sessions, await sessions.open(outcome.token))
    assert await again.watched.look()
    again.watched.leave()


async def test_edits_and_renewals_elsewhere_end_nothing(
    sessions: Sessions, elsewhere: Sessions, clock: Clock
) -> None:
    session, token = await sign_in(sessions)
    socket = Open(sessions, session)
    clock.move(minutes=16)
    theirs = await elsewhere.open(token)
    theirs["cart"] = "hat"
    await elsewhere.commit(theirs)
    assert await socket.watched.look()
    socket.watched.leave()


@pytest.mark.parametrize("how", ["end", "end_all", "logout", "rotate", "sign_in_as_another"])
async def test_an_end_in_this_process_is_noticed_at_once(quiet: Sessions, how: str) -> None:
    session, token = await sign_in(quiet)
    socket = Open(quiet, session)
    other = Open(quiet, (await sign_in(quiet, "carol"))[0])
    await end(quiet, how, token)
    assert await socket.over() is Fate.ENDED
    assert other.fates == []
    other.watched.leave()


@pytest.mark.parametrize("how", ["rotate", "step_up", "sign_in_as_another"])
async def test_what_changes_its_privileges_itself_stays_open(sessions: Sessions, how: str) -> None:
    session, _ = await sign_in(sessions)
    socket = Open(sessions, session)
    CHANGES[how](session)
    await sessions.commit(session)
    assert await socket.watched.look()
    assert socket.fates == []
    assert session.id is not None
    await sessions.end(session.id)
    assert await socket.over() is Fate.ENDED


@pytest.mark.parametrize("is_loaded_first", [True, False])
async def test_a_look_that_meets_a_change_of_its_own_says_nothing(is_loaded_first: bool) -> None:
    """Fails when what is loaded is compared with what was known before it, or only after it."""

    class Slow(MemoryStore):
        async def load(self, id: str, /) -> Stored:
            found = await super().load(id)
            session.privilege_changed()
            await sessions.commit(session)
            return found if is_loaded_first else await super().load(id)

    sessions = Sessions(Slow())
    session, _ = await sign_in(sessions)
    socket = Open(sessions, session)
    assert await socket.watched.look()
    assert await socket.watched.look()
    socket.watched.leave()


async def test_a_look_in_the_middle_of_a_change_of_its_own_says_nothing() -> None:
    """Fails when what was saved is compared with what the socket does not know yet to be saved."""
    saved, going_on = asyncio.Event(), asyncio.Event()

    class Slow(MemoryStore):
        async def save(self, record: Record, base: Record | None, /) -> None:
            await super().save(record, base)
            if base is not None:
                saved.set()
                await going_on.wait()

    sessions = Sessions(Slow())
    session, _ = await sign_in(sessions)
    socket = Open(sessions, session)
    rotating = asyncio.create_task(sessions.rotate(session))
    await saved.wait()
    assert await socket.watched.look()
    going_on.set()
    await rotating
    assert await socket.watched.look()
    socket.watched.leave()


async def test_a_look_that_meets_activity_takes_nothing_for_expired(clock: Clock) -> None:
    """Fails when what was loaded is judged by the time at which the answer came."""

    class Slow(MemoryStore):
        async def load(self, id: str, /) -> Stored:
            found = await super().load(id)
            await sessions.commit(session)
            await sessions.flush()
            clock.move(minutes=29)
            return found

    sessions = Sessions(Slow(), clock=clock)
    session, _ = await sign_in(sessions)
    socket = Open(sessions, session)
    clock.move(minutes=29)
    assert await socket.watched.look()
    assert await socket.watched.look()
    socket.watched.leave()


async def test_what_ends_its_session_itself_is_over(quiet: Sessions) -> None:
    session, _ = await sign_in(quiet)
    socket = Open(quiet, session)
    session.end()
    await quiet.commit(session)
    assert await socket.over() is Fate.ENDED


async def test_expiry_is_due_at_once_and_counts_unless_others_were_active(
    quiet: Sessions, elsewhere: Sessions, clock: Clock
) -> None:
    session, token = await sign_in(quiet)
    socket = Open(quiet, session)
    clock.move(minutes=29)
    assert await socket.watched.look()
    assert not is_due(socket.watched)
    await elsewhere.commit(await elsewhere.open(token))
    clock.move(minutes=1)
    assert is_due(socket.watched)
    assert await socket.watched.look()
    assert not is_due(socket.watched)
    clock.move(minutes=29)
    assert not await socket.watched.look()
    assert await socket.over() is Fate.ENDED


async def test_a_socket_that_commits_lives_on_until_the_absolute_end(
    quiet: Sessions, clock: Clock
) -> None:
    session, _ = await sign_in(quiet)
    socket = Open(quiet, session)
    for _ in range(35):
        clock.move(minutes=20)
        await quiet.commit(session)
        await quiet.flush()
        assert await socket.watched.look()
    clock.move(minutes=20)
    await quiet.commit(session)
    assert not await socket.watched.look()


async def test_an_outage_is_borne_for_a_minute(sessions: Sessions, spy: Spy, clock: Clock) -> None:
    session, _ = await sign_in(sessions)
    socket = Open(sessions, session)
    spy.breaks()
    clock.move(seconds=59)
    assert await socket.watched.look()
    clock.move(seconds=1)
    assert await socket.over() is Fate.UNAVAILABLE


async def test_after_an_outage_the_minute_begins_anew(
    quiet: Sessions, spy: Spy, clock: Clock
) -> None:
    session, _ = await sign_in(quiet)
    socket = Open(quiet, session)
    for _ in range(3):
        spy.breaks()
        clock.move(seconds=40)
        assert await socket.watched.look()
        spy.mends()
        assert await socket.watched.look()
    socket.watched.leave()


async def test_nobody_is_kept_beyond_the_known_end_by_an_outage(
    quiet: Sessions, spy: Spy, clock: Clock
) -> None:
    """Within the minute, too: nobody vouches for the session any more."""
    session, _ = await sign_in(quiet)
    socket = Open(quiet, session)
    clock.move(minutes=29, seconds=50)
    assert await socket.watched.look()
    spy.breaks()
    clock.move(seconds=10)
    assert not await socket.watched.look()
    assert await socket.over() is Fate.UNAVAILABLE


async def test_what_cannot_be_read_is_over(quiet: Sessions) -> None:
    class Torn(MemoryStore):
        async def load(self, id: str, /) -> Stored:
            raise Undecodable("torn")

    session, _ = await sign_in(quiet)
    torn = Sessions(Torn())
    socket = Open(torn, session)
    assert not await socket.watched.look()


async def test_a_round_asks_once_for_each_session(quiet: Sessions, spy: Spy) -> None:
    users = [(await sign_in(quiet, f"user-{number}"))[0] for number in range(100)]
    sockets = [Open(quiet, session) for session in users for _ in range(10)]
    (rounds,) = quiet._lookout._rounds.values()  # pyright: ignore[reportPrivateUsage]
    spy.calls.clear()
    await rounds._look([socket.watched for socket in sockets])  # pyright: ignore[reportPrivateUsage]
    assert spy.calls == ["load"] * 100
    spy.calls.clear()
    await quiet.end_all("user-1")
    assert {await socket.over() for socket in sockets[10:20]} == {Fate.ENDED}
    assert spy.calls.count("load") == 1  # an event asks for what it is about only
    for socket in sockets:
        socket.watched.leave()


async def test_nothing_runs_when_nothing_is_open(sessions: Sessions) -> None:
    before = asyncio.all_tasks()
    session, _ = await sign_in(sessions)
    for _ in range(3):
        sockets = [Open(sessions, session) for _ in range(3)]
        (task,) = asyncio.all_tasks() - before
        for socket in sockets:
            socket.watched.leave()
            socket.watched.leave()
        await asyncio.wait([task])
        assert asyncio.all_tasks() == before
    assert not sessions._lookout._rounds  # pyright: ignore[reportPrivateUsage]


async def test_one_that_cannot_be_closed_harms_no_other(
    quiet: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    session, _ = await sign_in(quiet)

    def fails(_: Fate) -> None:
        raise RuntimeError("a bug in the adapter")

    quiet.watch(session, fails)
    socket = Open(quiet, session)
    await quiet.end_all("alice")
    assert await socket.over() is Fate.ENDED
    assert "could not be closed" in caplog.text


async def test_only_what_is_stored_and_looked_at_is_watched(quiet: Sessions) -> None:
    visitor = await quiet.open(None)
    assert quiet.watch(visitor, print) is None
    _, token = await sign_in(quiet)
    unseen = await quiet.admit([Presented(token)])
    assert quiet.watch(unseen, print) is None
    assert len(unseen) == 0
    watched = quiet.watch(unseen, print)
    assert watched is not None
    watched.leave()


def test_threads_look_when_the_last_look_is_older_than_the_bound(clock: Clock) -> None:
    spy = Spy(MemoryStore())
    sessions = BlockingSessions(spy.store, clock=clock)
    session = sessions.open(None)
    session.sign_in("alice")
    sessions.commit(session)
    watched = sessions.inner.watch(session)
    assert watched is not None
    assert not is_due(watched)
    clock.move(seconds=5)
    assert is_due(watched)
    assert sessions.end_all("alice") == 1
    assert not finish(watched.look())
    assert is_due(watched)


@pytest.mark.parametrize(
    "wrong", [5, timedelta(0), timedelta(milliseconds=9), timedelta(minutes=2)]
)
def test_the_bound_is_between_10_ms_and_a_minute(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"Policy\.watch_every"):
        Policy(watch_every=wrong)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
