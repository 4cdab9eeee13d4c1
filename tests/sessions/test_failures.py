"""What is left when a commit fails half-way: nothing that nobody holds."""

from collections.abc import Callable
from typing import Any

import pytest

from coatcheck import Event, Happened, Holder, MemoryStore, Merge, Policy, Sessions, Standing, Store
from coatcheck.core.presented import Presented
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.errors import SessionTooLarge, StoreUnavailable, Superseded, Undecodable
from coatcheck.testing import Clock
from tests.sessions.browser import Browser, twin


class Failing(MemoryStore):
    """A store that does something else when it is asked to `end`."""

    on_end: Callable[[], None] | None = None

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        if self.on_end is not None and base is not None:
            self.on_end()
        return await super().end(tombstone, base)


def fails(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "answer"),
    [(StoreUnavailable("gone"), StoreUnavailable), (Undecodable("damaged"), Superseded)],
)
async def test_a_sign_in_that_cannot_close_the_old_session_leaves_no_new_one(
    clock: Clock, error: Exception, answer: type[Exception]
) -> None:
    """P3. Fails when the new record is not taken back: a device that nobody holds."""
    store = Failing()
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.put(cart=1)
    session = await browser.send()
    session.sign_in("alice")
    store.on_end = fails(error)
    with pytest.raises(answer):
        await sessions.commit(session)
    store.on_end = None
    in_doubt = answer is StoreUnavailable  # the old session may be closed, then the new has it all
    assert await sessions.count() == (2 if in_doubt else 1)
    assert await browser.see() == (None, {"cart": 1})


@pytest.mark.parametrize("why", ["too large", "edit fails"])
async def test_a_copy_that_cannot_be_made_leaves_no_new_session(
    store: Store, clock: Clock, why: str
) -> None:
    """P3: another request changed the visitor's data, so that it must be copied again."""
    sessions = Sessions(
        store, clock=clock, policy=Policy(max_size=500), merge={"once": Merge.REFUSE}
    )
    browser = Browser(sessions)
    await browser.put(once=0, text="")
    session = await browser.send()
    await twin(browser).put(once=1, text="x" * 300)

    def edit(data: dict[str, Any]) -> None:
        if data["once"] == 1:
            raise ZeroDivisionError

    if why == "too large":
        session["more"] = "x" * 300
    else:
        session.edit(edit)
    session.sign_in("alice")
    with pytest.raises((SessionTooLarge, ZeroDivisionError)):
        await sessions.commit(session)
    assert (await sessions.list("alice"), await sessions.count()) == ([], 1)


async def test_what_is_told_was_saved(store: Store, clock: Clock) -> None:
    """Fails when events are told for each attempt, or for one that was then refused."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append, policy=Policy(max_size=400))
    browser = Browser(sessions)
    await browser.put(leaf=0, text="x" * 200)
    events.clear()
    session = await browser.send()
    for n in range(5):
        await twin(browser).put(leaf=n + 1)
    events.clear()
    session["leaf"] = 9
    await browser.finish(session)
    assert [event.kind for event in events] == [Happened.OVERWRITTEN, Happened.LARGE]


async def test_what_was_discarded_is_not_saved_later(sessions: Sessions) -> None:
    """A socket whose handler failed and goes on."""
    browser = Browser(sessions)
    await browser.put(kept=1)
    session = await browser.send()
    session["discarded"] = 1
    session.edit(lambda data: data.update(edited=1))
    session.privilege_changed()
    await sessions.commit(session, discard=True)
    assert session == {"kept": 1}
    session["later"] = 1
    assert (await browser.finish(session)).cookies == {}
    assert await browser.see() == (None, {"kept": 1, "later": 1})


async def test_an_outage_is_no_verdict(clock: Clock) -> None:
    """Promise 6: an adapter gets a session that raises when looked at, and deletes nothing."""

    class Down(MemoryStore):
        async def load(self, id: str, /) -> Stored:
            raise StoreUnavailable(id)

    browser = Browser(Sessions(MemoryStore(), clock=clock))
    await browser.sign_in("alice")
    sessions = Sessions(Down(), clock=clock)
    token = browser.jar[Holder.SIGNED_IN]
    with pytest.raises(StoreUnavailable):
        await sessions.open(token)
    session = await sessions.admit([Presented(token)])
    assert isinstance(session.state.failure, StoreUnavailable)
    assert session.state.cookies == {}


@pytest.mark.parametrize("down", [{1}, {2}, {1, 2}], ids=str)
async def test_an_outage_of_either_load_is_no_verdict(clock: Clock, down: set[int]) -> None:
    """Promise 6: of a dead login and a visitor's session, both are asked for.

    Fails when the second load's outage is taken for a visitor without a session.
    """

    class Flaky(MemoryStore):
        loads = -1_000

        async def load(self, id: str, /) -> Stored:
            self.loads += 1
            if self.loads in down:
                raise StoreUnavailable(id)
            return await super().load(id)

    store = Flaky()
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    dead = browser.jar.pop(Holder.SIGNED_IN)
    await sessions.end(dead.id)
    await browser.put(cart=1)
    browser.jar[Holder.SIGNED_IN] = dead
    store.loads = 0
    session = await browser.send()
    assert isinstance(session.state.failure, StoreUnavailable)
    assert session.state.cookies == {}


@pytest.mark.parametrize("standing", [Standing.MALFORMED, Standing.AMBIGUOUS])
async def test_a_useless_login_does_not_hide_a_visitor(
    sessions: Sessions, standing: Standing
) -> None:
    """C4: whatever made it useless; its deletion is sent as well."""
    browser = Browser(sessions)
    await browser.put(cart=1)
    useless = Presented(None, Holder.SIGNED_IN, standing)
    session = await sessions.admit(
        [useless, Presented(browser.jar[Holder.VISITOR], Holder.VISITOR)]
    )
    assert (session, session.standing) == ({"cart": 1}, standing)
    assert session.state.cookies == {Holder.SIGNED_IN: None}
