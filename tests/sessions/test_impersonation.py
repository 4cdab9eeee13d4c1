"""An administrator acts as a user, and is themself again afterwards (R-023)."""

from collections.abc import Callable
from typing import Any

import pytest

from coatcheck import Event, Happened, Policy, Session, Sessions, Store
from coatcheck.core.own import ACTOR
from coatcheck.core.unseen import look
from coatcheck.errors import StepUpRequired, StoreUnavailable, Unauthenticated
from coatcheck.testing import Clock
from tests.sessions.browser import Answer, Browser, twin
from tests.web.spy import Spy


async def begin(browser: Browser, subject: str = "alice") -> Answer:
    session = await browser.send()
    session.impersonate(subject)
    return await browser.finish(session)


async def stop(browser: Browser) -> Answer:
    session = await browser.send()
    session.stop_impersonating()
    return await browser.finish(session)


@pytest.fixture
async def admin(sessions: Sessions) -> Browser:
    browser = Browser(sessions)
    session = await browser.send()
    session.sign_in("admin", assurance=2)
    session["notes"] = "mine"
    await browser.finish(session)
    return browser


async def test_it_takes_three_ids_and_no_token_comes_back(
    admin: Browser, sessions: Sessions
) -> None:
    tokens, seen = [twin(admin)], [await admin.send()]
    await begin(admin)
    tokens.append(twin(admin))
    seen.append(await admin.send())
    assert [info.id for info in await sessions.list("alice")] == [seen[1].id]
    assert await sessions.list("admin") == []
    await stop(admin)
    seen.append(await admin.send())
    assert [session.subject for session in seen] == ["admin", "alice", "admin"]
    assert [session.actor for session in seen] == [None, "admin", None]
    assert len({session.id for session in seen}) == 3
    for old in tokens:
        assert (await old.send()).subject is None
    assert [info.id for info in await sessions.list("admin")] == [seen[2].id]
    assert await sessions.list("alice") == []


async def test_no_data_crosses_and_nothing_of_it_is_among_the_data(admin: Browser) -> None:
    """P4. Fails when somebody's cart is shown to somebody else."""
    await begin(admin)
    session = await admin.send()
    assert dict(session) == {}
    session["cart"] = "of alice"
    await admin.finish(session)
    session = await admin.send()
    assert dict(session) == {"cart": "of alice"}
    await admin.finish(session)
    await stop(admin)
    assert dict(await admin.send()) == {}


async def test_what_was_proven_and_when_stays_the_administrators(
    admin: Browser, clock: Clock
) -> None:
    """Fails when acting as somebody counts as an authentication (R-022)."""
    before = await admin.send()
    clock.move(minutes=4)
    await begin(admin)
    during = await admin.send()
    assert (during.assurance, during.authenticated_at) == (2, before.authenticated_at)
    assert during.require(level=2, max_age="4m") == "alice"
    clock.move(minutes=4)
    with pytest.raises(StepUpRequired):
        (await admin.send()).require(level=2, max_age="4m")
    await stop(admin)
    after = await admin.send()
    assert (after.assurance, after.authenticated_at) == (2, before.authenticated_at)
    with pytest.raises(StepUpRequired):
        after.require(max_age="4m")


async def test_the_very_request_goes_by_what_was_proven_before(
    admin: Browser, clock: Clock
) -> None:
    clock.move(minutes=10)
    session = await admin.send()
    session.impersonate("alice")
    assert (session.subject, session.actor) == ("alice", "admin")
    with pytest.raises(StepUpRequired):
        session.require(max_age="5m")


async def test_it_prolongs_nothing(store: Store, clock: Clock) -> None:
    """Fails when the absolute end starts anew with each change."""
    sessions = Sessions(store, clock=clock, policy=Policy())
    browser = Browser(sessions)
    await browser.sign_in("admin")
    ends = (await browser.send()).state.base
    assert ends is not None
    for _ in range(30):
        clock.move(minutes=29)
        if (await browser.send()).subject is None:
            break
        session = await browser.send()
        if session.actor:
            session.stop_impersonating()
        else:
            session.impersonate("alice")
        await browser.finish(session)
        base = session.state.base
        assert base is not None
        assert base.ends_at == ends.ends_at
    assert (await browser.send()).subject is None


async def test_nobody_can_put_themself_in_the_administrators_place(sessions: Sessions) -> None:
    """Whoever can set any key of their session is still nobody else (CWE-501).

    Fails when what the application wrote there is believed: at once, in an edit, or once stored.
    """
    forged = {"subject": "admin", "assurance": 3, "authenticated_at": 1, "ends_at": 2**60,
              "begun_at": 2**50}  # fmt: skip

    def forge(data: dict[str, Any]) -> None:
        data[ACTOR], data["seen"] = forged, data.get("seen", 0) + 1

    browser = Browser(sessions)
    await browser.sign_in("mallory", cart=1)
    writes: list[Callable[[Session], None]] = [forge, lambda session: session.edit(forge)]
    for write in writes:
        session = await browser.send()
        write(session)
        other = await twin(browser).send()
        other["more"] = id(write)
        await sessions.commit(other)  # so that the edit is run again
        await browser.finish(session)
        session = await browser.send()
        assert (session.actor, session.subject) == (None, "mallory")
        assert ACTOR not in session
        with pytest.raises(RuntimeError, match="nobody impersonates"):
            session.stop_impersonating()
    assert (await browser.send())["cart"] == 1


async def test_clearing_the_data_makes_it_no_session_of_the_users_own(admin: Browser) -> None:
    """Fails when an impersonation can lose its mark."""
    await begin(admin)
    await admin.put(cart=1)
    session = await admin.send()
    session.clear()
    session["cart"] = 2
    await admin.finish(session)
    session = await admin.send()
    assert (session.actor, dict(session)) == ("admin", {"cart": 2})
    session.clear()
    await admin.finish(session)
    assert (await admin.send()).actor == "admin"


async def test_whose_sessions_were_all_ended_neither_acts_nor_returns(
    admin: Browser, sessions: Sessions
) -> None:
    """A dismissed administrator. Fails when only sessions under their own name end."""
    await begin(admin)
    waiting = await admin.send()
    await sessions.end_all("admin")
    assert (await admin.send()).subject is None
    assert await sessions.list("alice") == []
    waiting.stop_impersonating()
    assert (await admin.finish(waiting)).status == 401
    assert await sessions.list("admin") == []


async def test_a_request_only_asks_about_the_actor(store: Store, clock: Clock) -> None:
    """Fails when every read of an impersonation writes, or enters it into the actor's index."""
    spy = Spy(store)
    browser = Browser(Sessions(spy.store, clock=clock))
    await browser.sign_in("admin")
    await begin(browser)
    spy.calls.clear()
    assert (await browser.see())[0] == "alice"
    assert spy.calls == ["load", "is_barred"]
    spy.down = {"is_barred"}
    with pytest.raises(StoreUnavailable):
        look(await browser.send())
    spy.mends()
    assert (await store.bar("admin", 1)).ids == []


async def test_an_end_of_everything_ends_it(admin: Browser, store: Store, clock: Clock) -> None:
    """Also when its record was not there to be ended, as after a restore."""
    await begin(admin)
    await store.bar(None, clock())
    assert (await admin.send()).subject is None


async def test_a_return_that_was_under_way_is_refused(admin: Browser, sessions: Sessions) -> None:
    await begin(admin)
    session = await admin.send()
    session.stop_impersonating()
    await sessions.end_all("admin")
    assert (await admin.finish(session)).status == 401
    assert await sessions.list("admin") == []


async def test_an_end_while_it_begins_or_stops_is_final(admin: Browser, sessions: Sessions) -> None:
    """R-029. Fails when it starts alone, as a sign-in does: no credentials were proven."""
    session = await admin.send()
    session.impersonate("alice")
    assert session.id is not None
    await sessions.end(session.id)
    assert (await admin.finish(session)).status == 401
    assert await sessions.count() == 0


async def test_a_step_up_while_it_begins_comes_first(admin: Browser, sessions: Sessions) -> None:
    session = await admin.send()
    session.impersonate("alice")
    other = await admin.send()
    other.step_up(2)
    assert (await admin.finish(other)).status == 200
    assert (await admin.finish(session)).status == 409
    assert (await admin.send()).subject == "admin"
    assert await sessions.list("alice") == []


async def test_two_that_begin_at_once_make_one(admin: Browser, sessions: Sessions) -> None:
    one, two = await admin.send(), await admin.send()
    one.impersonate("alice")
    two.impersonate("bob")
    assert [(await admin.finish(one)).status, (await admin.finish(two)).status] == [200, 409]
    assert (await admin.send()).subject == "alice"
    assert await sessions.list("bob") == []


async def test_the_user_who_ends_everything_ends_it_too(admin: Browser, sessions: Sessions) -> None:
    await begin(admin)
    assert await sessions.end_all("alice") == 1
    assert (await admin.send()).subject is None


async def test_credentials_of_the_user_make_it_the_users_session(admin: Browser) -> None:
    await begin(admin)
    await admin.sign_in("alice")
    assert (await admin.send()).actor is None


async def test_what_makes_no_sense_is_refused(admin: Browser, sessions: Sessions) -> None:
    visitor = await Browser(sessions).send()
    with pytest.raises(Unauthenticated):
        visitor.impersonate("alice")
    session = await admin.send()
    with pytest.raises(RuntimeError, match="nobody impersonates"):
        session.stop_impersonating()
    for nobody in ("", "admin", "\ud800"):
        with pytest.raises(ValueError, match="another user"):
            session.impersonate(nobody)
    session.step_up(2)
    with pytest.raises(RuntimeError, match="one at a time"):
        session.impersonate("alice")
    await begin(admin)
    session = await admin.send()
    with pytest.raises(RuntimeError, match="stop_impersonating comes first"):
        session.impersonate("bob")


async def test_both_are_told_with_the_actor(store: Store, clock: Clock) -> None:
    events: list[Event] = []
    browser = Browser(Sessions(store, clock=clock, on_event=events.append))
    await browser.sign_in("admin")
    events.clear()
    await begin(browser)
    id = (await browser.send()).id
    await stop(browser)
    told = [event for event in events if event.kind.startswith("impersonation")]
    assert [(e.kind, e.id, e.subject, e.actor) for e in told] == [
        (Happened.IMPERSONATION_STARTED, id, "alice", "administrator:admin"),
        (Happened.IMPERSONATION_STOPPED, id, "alice", "administrator:admin"),
    ]
