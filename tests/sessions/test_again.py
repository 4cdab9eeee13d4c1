"""A session is opened once more on a connection, as for each event of a socket."""

from collections.abc import Awaitable, Callable

import pytest

from coatcheck import Done, Session, Sessions
from coatcheck.core.record import Stored
from coatcheck.core.unseen import look
from coatcheck.errors import StoreUnavailable, Undecodable
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock
from tests.sessions.browser import Browser


async def again(sessions: Sessions, session: Session) -> Session:
    return look(await sessions.again(session))


async def test_it_is_as_it_is_stored_by_then_whatever_its_token_is(
    sessions: Sessions, clock: Clock
) -> None:
    """Fails when it is opened by the token of the handshake, which was renewed since."""
    browser = Browser(sessions)
    await browser.sign_in("alice", hat=1)
    handshake = await browser.send()
    for hat in range(2, 6):
        clock.move(minutes=16)
        await browser.put(hat=hat)
    event = await again(sessions, handshake)
    assert (event.subject, dict(event)) == ("alice", {"hat": 5})
    event["cap"] = 1
    outcome = await sessions.commit(event)
    assert (outcome.done, outcome.token) == (Done.SAVED, None)
    assert await browser.see() == ("alice", {"hat": 5, "cap": 1})


async def out(browser: Browser) -> None:
    session = await browser.send()
    session.end()
    await browser.finish(session)


async def step_up(browser: Browser) -> None:
    session = await browser.send()
    session.step_up(2)
    await browser.finish(session)


async def change_over(browser: Browser) -> None:
    await browser.sign_in("bob")


@pytest.mark.parametrize("happens", [out, step_up, change_over])
async def test_it_is_nobodys_once_it_ended_or_changed_its_privileges(
    sessions: Sessions, happens: Callable[[Browser], Awaitable[None]]
) -> None:
    """And what is put in is kept nowhere. Fails when what was opened at first is believed."""
    browser = Browser(sessions)
    await browser.sign_in("alice", hat=1)
    handshake = await browser.send()
    await happens(browser)
    left = await sessions.count()
    event = await again(sessions, handshake)
    assert (event.subject, dict(event)) == (None, {})
    event["hat"] = 2
    outcome = await sessions.commit(event)
    assert (outcome.token, await sessions.count()) == (None, left)


async def test_it_is_nobodys_once_it_is_over(sessions: Sessions, clock: Clock) -> None:
    browser = Browser(sessions)
    await browser.sign_in("alice")
    handshake = await browser.send()
    clock.move(hours=1)
    assert (await again(sessions, handshake)).subject is None


async def test_it_is_nobodys_once_the_actor_may_act_no_more(sessions: Sessions) -> None:
    """Fails when only the session of the user is looked at."""
    browser = Browser(sessions)
    await browser.sign_in("admin")
    session = await browser.send()
    session.impersonate("alice")
    await browser.finish(session)
    handshake = await browser.send()
    event = await again(sessions, handshake)
    assert (event.subject, event.actor) == ("alice", "admin")
    await sessions.end_all("admin")
    assert (await again(sessions, handshake)).subject is None


async def test_where_nothing_was_stored_there_is_nothing(sessions: Sessions) -> None:
    event = await again(sessions, await Browser(sessions).send())
    assert (event.subject, dict(event)) == (None, {})


async def test_a_store_that_is_away_or_a_damaged_record_lets_nobody_in(clock: Clock) -> None:
    class Store(MemoryStore):
        problem: Exception | None = None

        async def load(self, id: str, /) -> Stored:
            if self.problem is not None:
                raise self.problem
            return await super().load(id)

    store = Store()
    sessions = Sessions(store, clock=clock)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    handshake = await browser.send()
    store.problem = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        dict(await again(sessions, handshake))
    store.problem = Undecodable("damaged")
    assert (await again(sessions, handshake)).subject is None
    store.problem = None
    assert (await again(sessions, handshake)).subject == "alice"
