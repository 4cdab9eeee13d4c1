"""Where two rules meet: found by exploring interleavings, kept so that they stay found."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import (
    Done,
    Event,
    Happened,
    Holder,
    MemoryStore,
    Merge,
    Policy,
    Sessions,
    Standing,
    Store,
    Token,
)
from coatcheck.core.record import Record
from coatcheck.errors import SessionTooLarge, StoreUnavailable, Superseded
from coatcheck.testing import Clock, make_tombstone
from tests.sessions.browser import Browser, twin


async def test_a_dead_login_does_not_stand_in_a_visitors_way(
    sessions: Sessions, clock: Clock
) -> None:
    """C4: a form for logging in needs a session, while the dead cookie must not be deleted (C1).

    Fails when the visitor's cookie is read only where the other is missing: the form's token, put
    into the session of one request, is not there in the next, until the tombstone is gone.
    """
    browser = Browser(sessions)
    await browser.sign_in("alice")
    clock.move(seconds=1)
    await sessions.end_all("alice")
    clock.move(seconds=1)
    assert (await browser.put(csrf="token")).cookie == "set"
    session = await browser.send()
    assert (session["csrf"], session.subject) == ("token", None)
    assert (session.standing, session.is_over) == (Standing.RETIRED, True)
    assert Holder.SIGNED_IN in browser.jar, "its deletion could meet a newer login's cookie"
    await browser.sign_in("alice")
    session = await browser.send()
    assert (session.subject, session["csrf"], session.is_over) == ("alice", "token", False)


async def test_a_login_opened_before_the_clock_was_known_is_judged_by_the_clock() -> None:
    """G2, T5: this machine is an hour ahead, and another request finds that out in between.

    Fails when the time of opening is corrected only by the request's own question.
    """

    class Behind(MemoryStore):
        async def time(self) -> int:
            return await super().time() - 3_600_000

    sessions = Sessions(Behind())
    session = await sessions.open(None)
    await sessions.list("alice")
    await sessions.end_all("alice")
    session.sign_in("alice")
    assert (await Browser(sessions).finish(session)).status == 401


async def test_ending_all_twice_in_one_request_excuses_it_still(
    sessions: Sessions, clock: Clock
) -> None:
    """G2: asked again, as after a lost answer."""
    browser = Browser(sessions)
    session = await browser.send()
    clock.move(seconds=1)
    for _ in range(2):
        await sessions.end_all("alice", keep=session)
    session.sign_in("alice")
    assert (await browser.finish(session)).status == 200


async def test_of_two_ends_of_all_in_one_moment_each_knows_its_own(sessions: Sessions) -> None:
    """G2: fails when both get the same bar, so that one excuses the other's request."""
    browser = Browser(sessions)
    session = await browser.send()
    await sessions.end_all("alice", keep=session)
    await sessions.end_all("alice")
    session.sign_in("alice")
    assert (await browser.finish(session)).status == 401


async def test_a_sign_in_that_is_refused_leaves_the_session_that_was_kept(
    sessions: Sessions, clock: Clock
) -> None:
    """G2: "the old session stays". Fails when the bar is asked after the new lineage is saved."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    again = await browser.send()
    clock.move(seconds=1)
    other = await twin(browser).send()
    await sessions.end_all("alice", keep=other)
    again.sign_in("alice")
    assert (await browser.finish(again)).status == 401
    assert (await browser.see())[0] == "alice"


async def test_nothing_is_saved_on_top_of_a_doubt(clock: Clock) -> None:
    """S4: a socket commits again after a save that may have been applied; here it was.

    Fails when the steps are done once more: counted twice.
    """

    class Doubtful(MemoryStore):
        is_down = False

        async def save(self, record: Record, base: Record | None, /) -> None:
            await super().save(record, base)
            if self.is_down:
                raise StoreUnavailable("no answer")

        async def load(self, id: str, /) -> Any:
            if self.is_down:
                raise StoreUnavailable("no answer")
            return await super().load(id)

    store = Doubtful()
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.put(n=0)
    socket = await browser.send()
    socket.edit(lambda data: data.update(n=data["n"] + 1))
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        await sessions.commit(socket)
    store.is_down = False
    with pytest.raises(StoreUnavailable, match="earlier save"):
        await sessions.commit(socket)
    assert await browser.see() == (None, {"n": 1})


@pytest.mark.parametrize("meanwhile", ["nothing", "edit", "lineage"])
async def test_taking_the_last_key_out_is_an_edit(sessions: Sessions, meanwhile: str) -> None:
    """S1, S2: it ends the session only if nobody put something in, or changed its privileges."""
    browser = Browser(sessions)
    await browser.sign_in("alice", flash="hello")
    session = await browser.send()
    other = twin(browser)
    if meanwhile == "edit":
        await other.put(cart=1)
    elif meanwhile == "lineage":
        rotating = await other.send()
        rotating.privilege_changed()
        await other.finish(rotating)
    session.pop("flash")
    answer = await browser.finish(session)
    if meanwhile == "nothing":
        assert (answer.cookie, await sessions.list("alice")) == ("delete", [])
    elif meanwhile == "edit":
        assert (answer.cookie, await browser.see()) == ("-", ("alice", {"cart": 1}))
    else:
        assert (answer.status, await other.see()) == (409, ("alice", {"flash": "hello"}))


async def test_clearing_is_meant(sessions: Sessions) -> None:
    """`clear()` is how many log out: it ends the session whatever others put in meanwhile."""
    browser = Browser(sessions)
    await browser.sign_in("alice", cart=1)
    session = await browser.send()
    await twin(browser).put(more=1)
    session.clear()
    assert (await browser.finish(session)).cookie == "delete"
    assert await sessions.list("alice") == []


async def test_what_is_written_after_a_sign_in_belongs_to_who_signed_in(
    store: Store, clock: Clock
) -> None:
    """P5, P6: of a session that ended meanwhile nothing moves; what comes after does."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    browser = Browser(sessions)
    await browser.put(cart={"old": 1}, seen=["old"])
    session = await browser.send()
    ending = await twin(browser).send()
    ending.end()
    await browser.finish(ending, lose=True)
    session["summary"] = f"you have {len(session['cart'])} thing"
    session.sign_in("bob")
    session["role"] = "buyer"
    session["cart"]["new"] = 1
    session.edit(lambda data: data.update(visits=data.get("visits", 0) + 1))
    session["coatcheck:csrf"] = "fresh"
    await browser.finish(session)
    assert await browser.see() == (
        "bob",
        {"role": "buyer", "cart": {"new": 1}, "visits": 1, "coatcheck:csrf": "fresh"},
    )
    assert Happened.DROPPED in [event.kind for event in events]


async def test_the_librarys_keys_of_the_new_session_stay_when_it_is_copied_again(
    sessions: Sessions,
) -> None:
    """P5: only what the visitor's session had is left behind."""
    browser = Browser(sessions)
    await browser.put(**{"cart": 1, "coatcheck:csrf": "old"})
    session = await browser.send()
    await twin(browser).put(**{"more": 1, "coatcheck:state": "old"})
    session.sign_in("alice")
    session["coatcheck:csrf"] = "new"
    await browser.finish(session)
    assert await browser.see() == ("alice", {"cart": 1, "more": 1, "coatcheck:csrf": "new"})


async def test_a_dropped_socket_can_start_anew(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await browser.sign_in("alice", cart=1)
    socket = await browser.send()
    ending = await browser.send()
    ending.end()
    await browser.finish(ending)
    socket["cart"] = 2
    assert (await sessions.commit(socket)).done is Done.DROPPED
    socket.end()
    socket["fresh"] = 1
    assert (await sessions.commit(socket)).done is Done.CREATED


async def test_a_key_that_must_not_merge_refuses_edits_but_no_sign_in(
    store: Store, clock: Clock
) -> None:
    """P6: a sign-in never loses."""
    sessions = Sessions(store, clock=clock, merge={"once": Merge.REFUSE})
    browser = Browser(sessions)
    await browser.put(once=0)
    edit, login = await browser.send(), await browser.send()
    await twin(browser).put(once=1)
    edit["once"] = 2
    with pytest.raises(Superseded):
        await sessions.commit(edit)
    login["once"] = 3
    login.sign_in("alice")
    await browser.finish(login)
    assert await browser.see() == ("alice", {"once": 3})


@pytest.mark.parametrize("subject", [42, None, "", b"alice"])
async def test_a_subject_is_text(sessions: Sessions, subject: Any) -> None:
    session = await sessions.open(None)
    with pytest.raises(ValueError, match="text"):
        session.sign_in(subject)


async def test_a_list_that_was_there_before_brings_nothing_along(sessions: Sessions) -> None:
    """P5: added to after the sign-in, to a session that had ended; fails when it is kept whole."""
    browser = Browser(sessions)
    await browser.put(history=["secret"], nested={"seen": ["secret"], "n": 1})
    session = await browser.send()
    ending = await twin(browser).send()
    ending.end()
    await browser.finish(ending, lose=True)
    session.sign_in("bob")
    session["history"].append("/login")
    session["nested"]["seen"].append("/login")
    session["fresh"] = ["/login"]
    await browser.finish(session)
    assert await browser.see() == ("bob", {"fresh": ["/login"]})


async def test_a_cancelled_save_is_a_doubt(clock: Clock) -> None:
    """S4: a deadline around the commit. Fails when only an outage is remembered: counted twice."""

    class Slow(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.begun, self.may_answer = asyncio.Event(), asyncio.Event()
            self.may_answer.set()

        async def save(self, record: Record, base: Record | None, /) -> None:
            await super().save(record, base)
            self.begun.set()
            await self.may_answer.wait()

    store = Slow()
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.put(n=0)
    session = await browser.send()
    session.edit(lambda data: data.update(n=data["n"] + 1))
    store.begun.clear()
    store.may_answer.clear()
    request = asyncio.create_task(sessions.commit(session))
    await store.begun.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    store.may_answer.set()
    with pytest.raises(StoreUnavailable, match="earlier save"):
        await sessions.commit(session)
    assert (await browser.see())[1] == {"n": 1}
    session.end()
    assert (await sessions.commit(session)).done is Done.ENDED, "an end is unconditional"


async def test_a_planted_login_in_the_visitors_cookie_opens_nothing(sessions: Sessions) -> None:
    """C4, fixation: a cookie without a prefix can be planted by a neighbouring host."""
    attacker, victim = Browser(sessions), Browser(sessions)
    await attacker.sign_in("attacker")
    victim.jar = {Holder.VISITOR: attacker.jar[Holder.SIGNED_IN]}
    session = await victim.send()
    assert (session.subject, session.standing) == (None, Standing.RETIRED)
    assert (await attacker.see())[0] == "attacker"


async def test_a_logout_ends_an_unreadable_login_beside_a_visitors_session(
    store: Store, clock: Clock
) -> None:
    """While versions are mixed: fails when only the session that opened is ended."""
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.put(cart=1)
    visitor = browser.jar.pop(Holder.VISITOR)
    await browser.sign_in("alice")
    login = browser.jar[Holder.SIGNED_IN]
    good = await store.load(login.id)
    assert isinstance(good, Record)
    await store.save(good._replace(version=2, payload=good.payload + b"!"), good)
    browser.jar[Holder.VISITOR] = visitor
    session = await browser.send()
    assert (session, session.standing) == ({"cart": 1}, Standing.UNREADABLE)
    session.end()
    answer = await browser.finish(session)
    assert (set(answer.cookies), await sessions.count()) == (set(Holder), 0)


async def test_a_shorter_policy_hides_no_session_from_the_index(store: Store, clock: Clock) -> None:
    """G1: signed in again under a shorter lifetime, by a request that is then refused.

    Fails on Redis when the entry's score is lowered, as the next login then drops the entry.
    """
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice")
    short = Sessions(store, clock=clock, policy=Policy(absolute=timedelta(hours=1), max_size=300))
    session = await Browser(short, browser.jar).send()
    session.sign_in("alice")
    session["much"] = "x" * 400
    with pytest.raises(SessionTooLarge):
        await short.commit(session)
    for _ in range(9):
        clock.move(minutes=15)
        await browser.put(n=clock.ms)
    await Browser(short).sign_in("alice")
    clock.move(seconds=1)
    assert await short.end_all("alice") == 2
    assert (await browser.see())[0] is None


async def test_an_edit_that_cannot_be_stored_is_not_run_again(sessions: Sessions) -> None:
    """Its handler caught the error and mended the data."""
    browser = Browser(sessions)
    await browser.put(n=0)
    session = await browser.send()
    await twin(browser).put(other=1)
    with pytest.raises(TypeError):
        session.edit(lambda data: data.update(bad=object()))
    del session["bad"]
    session["n"] = 1
    await browser.finish(session)
    assert (await browser.see())[1] == {"n": 1, "other": 1}


async def test_no_id_is_looked_up_that_cannot_be_one(sessions: Sessions) -> None:
    """An id from a URL, as lists of devices have it."""
    for id in ("", "\ud800", "../../x", "A" * 23, "*"):
        assert not await sessions.end(id)


async def test_nothing_of_a_session_shows_in_its_bookkeeping(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await browser.put(note="private")
    assert "private" not in repr((await browser.send()).state)


async def test_a_fork_beside_a_session_that_ends_meanwhile_carries_nothing_of_it(
    clock: Clock,
) -> None:
    """P5: the end comes between reading what to copy and writing the copy.

    Fails when the fork does not look once more whether what it copied is still there.
    """

    class Ends(MemoryStore):
        victim: Token | None = None

        async def save(self, record: Record, base: Record | None, /) -> None:
            if base is None and self.victim is not None and record.id != self.victim.id:
                await super().end(make_tombstone(self.victim.id))
            await super().save(record, base)

    store = Ends()
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice", secret=1)
    again = await browser.send()
    other = await twin(browser).send()
    other.privilege_changed()
    await browser.finish(other, lose=True)
    store.victim = browser.jar[Holder.SIGNED_IN]
    again.sign_in("alice")
    again["fresh"] = 1
    await browser.finish(again)
    assert await browser.see() == ("alice", {"fresh": 1})
