"""Ending other sessions: one, a user's, everybody's; and the list they are chosen from."""

import asyncio
from dataclasses import asdict

import pytest

from coatcheck import (
    BlockingSessions,
    Event,
    Happened,
    Holder,
    MemoryStore,
    Sessions,
    Standing,
    Store,
    Token,
)
from coatcheck.core.events import administrator
from coatcheck.core.record import Client, Ended
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.protocol import Page
from coatcheck.testing import Clock
from tests.kinds import ON_EVERY
from tests.sessions.browser import Browser

PHONE = Client("192.0.2.7", "Safari on iOS")


async def test_everybodys_sessions_end(store: Store, clock: Clock) -> None:
    """R-040: those of visitors, too, and of more than one batch. An expired one does not count."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    idle = Browser(sessions)
    await idle.sign_in("idle")
    clock.move(minutes=31)
    browsers = [Browser(sessions) for _ in range(230)]
    for number, browser in enumerate(browsers):
        await (browser.sign_in(f"user{number % 50}") if number % 3 else browser.put(cart=1))
    assert await sessions.end_everything(actor="root", reason="keys were stolen") == 230
    assert events[-1] == Event(
        Happened.EVERYTHING_ENDED,
        clock.ms,
        facts={"count": 230, "reason": "keys were stolen"},
        actor=administrator("root"),
    )
    for browser in browsers:
        session = await browser.send()
        assert (session.standing, session.ended_because) == (Standing.RETIRED, Ended.END_ALL)
    assert await sessions.count() == 0
    assert await sessions.list("user1") == []
    assert await sessions.end_everything() == 0


async def test_others_go_on_while_a_users_many_sessions_end(clock: Clock) -> None:
    """Fails when a store that never waits holds the event loop up until all have ended."""
    sessions = Sessions(MemoryStore(), clock=clock)
    for _ in range(250):
        await Browser(sessions).sign_in("alice")
    ending = asyncio.create_task(sessions.end_all("alice"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < await sessions.count() < 250
    assert await ending == 250


async def test_threads_methods_work_where_an_event_loop_runs(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a test; memory never waits. Fails when what is done to many lets the loop go on."""
    monkeypatch.setattr("coatcheck.sweeper.BATCH", 1)
    sessions = BlockingSessions(MemoryStore(), clock=clock)

    def sign_in() -> None:
        session = sessions.open(None)
        session.sign_in("alice")
        sessions.commit(session)

    def end_hers() -> int:
        return sessions.end_all("alice")

    def sweep() -> int:
        clock.move(days=40)
        return sessions.sweep()

    for work in (end_hers, sessions.end_everything, sweep):
        for _ in range(3):
            sign_in()
        assert work() == 3
        clock.move(seconds=1)  # past the bar


async def test_why_it_ended_is_known_for_two_minutes(store: Store, clock: Clock) -> None:
    """On each store, as some keep a tombstone until they are swept.

    Fails when it is told for as long as it is there.
    """
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    await sessions.end_all("alice")
    assert (await browser.send()).ended_because is Ended.END_ALL
    clock.move(minutes=2)
    session = await browser.send()
    assert (session.standing, session.ended_because) == (Standing.ABSENT, None)
    assert [e.facts.get("ended") for e in events if e.kind is Happened.REFUSED] == ["end_all", None]


@ON_EVERY
async def test_a_login_under_way_does_not_escape(store: Store, clock: Clock) -> None:
    """R-040: of whoever signs in, from nothing, over a visitor, again or as somebody else."""
    sessions = Sessions(store, clock=clock)
    nobody, visitor, again, other, late = (Browser(sessions) for _ in range(5))
    await visitor.put(cart=1)
    await again.sign_in("alice")
    await other.sign_in("bob")
    under_way = [(browser, await browser.send()) for browser in (nobody, visitor, again, other)]
    for _, session in under_way:
        session.sign_in("alice")
    await sessions.end_everything()
    for browser, session in under_way:
        assert (await browser.finish(session)).status == 401
        assert (await browser.see())[0] is None
    assert await sessions.count() == 0
    clock.move(milliseconds=1)
    assert (await late.sign_in("alice")).status == 200


async def test_nor_does_one_that_had_ended_all_of_its_own(store: Store, clock: Clock) -> None:
    """Fails when one's own bar excuses from everybody's."""
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    session = await browser.send()
    await sessions.end_all("alice", keep=session)
    await sessions.end_everything()
    session.sign_in("alice")
    assert (await browser.finish(session)).status == 401


@ON_EVERY
async def test_an_edit_under_way_revives_nothing(store: Store, clock: Clock) -> None:
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    session = await browser.send()
    session["cart"] = 1
    await sessions.end_everything()
    assert (await browser.finish(session)).status == 200
    assert (await browser.see())[0] is None


async def test_when_the_store_fails_in_between_it_says_so(clock: Clock) -> None:
    """And nobody who was signing in gets in; asked again, it ends the rest."""

    class Failing(MemoryStore):
        is_down = True

        async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
            if after is not None and self.is_down:
                raise StoreUnavailable("away")
            return await super().page(subject, after, limit)

    store = Failing()
    sessions = Sessions(store, clock=clock)
    browsers = [Browser(sessions) for _ in range(150)]
    for browser in browsers:
        await browser.put(cart=1)
    session = await browsers[0].send()
    session.sign_in("alice")
    with pytest.raises(StoreUnavailable):
        await sessions.end_everything()
    assert await sessions.count() == 50
    assert (await browsers[0].finish(session)).status == 401
    store.is_down = False
    assert await sessions.end_everything() == 50


def test_threads_end_everything() -> None:
    sessions = BlockingSessions(MemoryStore())
    tokens: list[Token | None] = []
    for _ in range(3):
        session = sessions.open(None)
        session.sign_in("alice")
        tokens.append(sessions.commit(session).token)
    current = sessions.open(tokens[0])
    marked = [(i.id, i.is_current) for i in sessions.list("alice", current=current)]
    assert sorted(marked) == sorted((t.id, t is tokens[0]) for t in tokens if t)
    assert tokens[1] is not None
    assert sessions.end(tokens[1].id, actor="root", reason="lost")
    assert sessions.end_all("alice", actor="root", reason="left the company") == 2
    assert sessions.end_everything(actor="root", reason="keys were stolen") == 0


async def test_who_ended_it_and_why_is_told(store: Store, clock: Clock) -> None:
    """R-040."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    browsers = [Browser(sessions) for _ in range(3)]
    for browser in browsers:
        await browser.sign_in("alice")
    id = browsers[0].jar[Holder.SIGNED_IN].id
    said, actor = {"reason": "a lost phone"}, administrator("root")
    assert await sessions.end(id, actor="root", reason="a lost phone")
    assert (events[-1].kind, events[-1].id, events[-1].subject) == (Happened.ENDED, id, "alice")
    assert (events[-1].actor, events[-1].cause, events[-1].facts) == (actor, "revoked", said)
    assert not await sessions.end(id, actor="root", reason="a lost phone")
    assert await sessions.end_all("alice", actor="root", reason="a lost phone") == 2
    assert (events[-1].kind, events[-1].subject) == (Happened.ALL_ENDED, "alice")
    assert (events[-1].actor, events[-1].facts) == (actor, {"count": 2, **said})
    await browsers[0].sign_in("alice")
    clock.move(seconds=1)
    await browsers[0].sign_in("alice")
    await sessions.end_all("alice")
    assert events[-1].facts == {"count": 1}


async def test_a_list_shows_what_a_user_knows_them_by_and_no_secret(
    store: Store, clock: Clock
) -> None:
    """R-041: the handle opens nothing."""
    sessions = Sessions(store, clock=clock)
    phone, laptop = Browser(sessions), Browser(sessions)
    session = await sessions.open(None, client=PHONE)
    session.sign_in("alice")
    phone.receive(await phone.finish(session))
    clock.move(minutes=5)
    await laptop.sign_in("alice")
    here = await laptop.send()
    infos = await sessions.list("alice", current=here)
    assert [info.is_current for info in infos] == [True, False]
    assert (infos[1].client, infos[0].id) == (PHONE, here.id)
    assert infos[0] == here.info
    assert infos[0].created_at > infos[1].created_at
    assert infos[0].seen_at > infos[1].seen_at
    assert [info.is_current for info in await sessions.list("alice")] == [False, False]
    shown = str([asdict(info) for info in infos])
    for browser in (phone, laptop):
        _, *secrets = browser.jar[Holder.SIGNED_IN].reveal().split(".")
        assert not any(secret in shown for secret in secrets)
    assert Token.parse(infos[1].id) is None


async def test_another_users_handle_is_as_good_as_none(store: Store, clock: Clock) -> None:
    """R-042: the answer and what is told are the same as of one that never was."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    events.clear()
    never = Token.mint(lambda size: b"x" * size).id
    visitor = Browser(sessions)
    await visitor.put(cart=1)
    events.clear()
    handles = [browser.jar[Holder.SIGNED_IN].id, visitor.jar[Holder.VISITOR].id, never, "?", ""]
    assert [await sessions.end(handle, subject="mallory") for handle in handles] == [False] * 5
    assert events == []
    assert (await browser.see())[0] == "alice"
    assert (await visitor.see())[1] == {"cart": 1}
