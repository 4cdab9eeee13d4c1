"""Where two defences meet: each holds also in the other's moments."""

import pytest

from coatcheck import Binding, Client, Holder, Policy, Sessions, Store, Token
from coatcheck.core.events import Event, Happened
from coatcheck.core.presented import Presented
from coatcheck.core.record import Ended
from coatcheck.core.standing import Standing
from coatcheck.errors import Unauthenticated
from coatcheck.testing import Clock
from tests.sessions.browser import Browser, twin

HOME = Client("203.0.113.7", "Firefox on Linux", "Linux", "de")
THIEF = Client("192.0.2.66", "Chrome on Windows", "Windows", "en")
APP = "https://app.example"


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def sessions(store: Store, clock: Clock, events: list[Event]) -> Sessions:
    policy = Policy(binding=Binding(notify=3, step_up=4, end=None))
    return Sessions(store, policy=policy, clock=clock, on_event=events.append)


async def signed_in(sessions: Sessions, subject: str = "alice") -> Token:
    session = await sessions.open(None, client=HOME)
    session.sign_in(subject)
    token = (await sessions.commit(session)).token
    assert token is not None
    return token


async def test_an_impersonation_on_another_client_ends(sessions: Sessions) -> None:
    """Fails when whoever is impersonated proves themselves, and goes on as their administrator."""
    session = await sessions.open(await signed_in(sessions, "admin"), client=HOME)
    session.impersonate("alice")
    token = (await sessions.commit(session)).token
    assert token is not None
    stolen = await sessions.open(token, client=THIEF)
    assert (stolen.standing, stolen.subject, stolen.doubt) == (Standing.RETIRED, None, None)
    late = await sessions.open(token, client=HOME)
    assert (late.subject, late.ended_because) == (None, Ended.BINDING)


async def test_a_password_from_before_the_end_of_all_completes_no_sign_in(
    sessions: Sessions, clock: Clock
) -> None:
    """G2: as one in progress. Fails when the bar asks when the request of the code arrived."""
    browser = Browser(sessions)
    session = await browser.send()
    session.expect_factor("alice")
    await browser.finish(session)
    clock.move(seconds=1)
    await sessions.end_all("alice")
    clock.move(seconds=1)
    session = await browser.send()
    assert await sessions.spend_attempt(session) == "alice"
    session.sign_in("alice", assurance=2)
    with pytest.raises(Unauthenticated):
        await sessions.commit(session)
    assert await sessions.list("alice") == []


async def test_a_ticket_that_is_made_up_alarms_nobody(
    sessions: Sessions, events: list[Event]
) -> None:
    """Fails when whoever knows an id can have its user warned, and the next warning withheld."""
    token = await signed_in(sessions)
    await sessions.redeem(f"{token.id}.{'A' * 43}", APP, client=THIEF)
    assert Happened.BINDING_CHANGED not in [event.kind for event in events]
    await sessions.admit([Presented(token, Holder.SIGNED_IN)], client=THIEF)
    assert Happened.BINDING_CHANGED in [event.kind for event in events]


async def test_a_token_that_a_job_noted_down_is_no_theft(sessions: Sessions, clock: Clock) -> None:
    """Fails when asking for it ends the session, or takes its successor."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    noted = browser.jar[Holder.SIGNED_IN]
    clock.move(minutes=16)
    job = await sessions.open(noted, is_held=False)
    assert job.subject == "alice"
    assert (await sessions.commit(job)).token is None
    for _ in range(2):
        session = await browser.send()
        assert session.subject == "alice"
        await browser.finish(session)
    clock.move(minutes=2)
    job = await sessions.open(noted, is_held=False)
    assert (job.standing, job.subject) == (Standing.REPLAYED, None)
    assert (await browser.see())[0] == "alice"
    assert (await twin(browser).see())[0] == "alice"


async def acting(sessions: Sessions, browser: Browser) -> None:
    """Let an administrator act as alice."""
    await browser.sign_in("admin")
    session = await browser.send()
    session.impersonate("alice")
    session["note"] = "of admin"
    await browser.finish(session)


async def test_who_signs_in_over_an_impersonation_begins_anew(
    sessions: Sessions, clock: Clock
) -> None:
    """Fails when alice has what the administrator put in, or ends with the administrator."""
    browser = Browser(sessions)
    await acting(sessions, browser)
    before = browser.jar[Holder.SIGNED_IN].id
    await browser.sign_in("alice")
    assert await browser.see() == ("alice", {})
    assert browser.jar[Holder.SIGNED_IN].id != before
    clock.move(seconds=1)
    await sessions.end_all("admin")
    assert (await browser.see())[0] == "alice"


async def test_what_is_done_while_acting_is_told_of_the_administrator(
    sessions: Sessions, events: list[Event]
) -> None:
    """R-106. Fails when the victim of an impersonation is named for it."""
    browser = Browser(sessions)
    await acting(sessions, browser)
    session = await browser.send()
    events.clear()
    await sessions.end_all("alice", keep=session, actor=session)
    session.end()
    await browser.finish(session)
    assert {event.actor for event in events} == {"administrator:admin"}
    assert {event.subject for event in events} == {"alice"}


async def test_an_impersonation_takes_nobodys_place(store: Store, clock: Clock) -> None:
    """Fails when it evicts the user's own session, or cannot be stopped at the limit."""
    sessions = Sessions(store, policy=Policy(max_sessions=1), clock=clock)
    alice, admin = Browser(sessions), Browser(sessions)
    await alice.sign_in("alice")
    await acting(sessions, admin)
    assert (await alice.see())[0] == "alice"
    session = await admin.send()
    session.stop_impersonating()
    assert (await admin.finish(session)).status == 200
    assert (await admin.see())[0] == "admin"
    assert (await alice.see())[0] == "alice"
