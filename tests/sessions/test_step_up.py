"""Routes that ask for more than a login (R-022, R-073), and changes of privilege (R-023)."""

from collections.abc import Callable
from typing import Any

import pytest

from coatcheck import Policy, Session, Sessions, Store
from coatcheck.clock import StoreClock
from coatcheck.errors import StepUpRequired, Unauthenticated
from coatcheck.testing import Clock
from tests.sessions.browser import Browser, twin


async def step_up(browser: Browser) -> None:
    session = await browser.send()
    session.step_up(2)
    assert (await browser.finish(session)).status == 200


async def test_a_visitor_is_asked_to_log_in_not_to_step_up(sessions: Sessions) -> None:
    session = await Browser(sessions).send()
    with pytest.raises(Unauthenticated) as refused:
        session.require(level=2, max_age="5m")
    assert not isinstance(refused.value, StepUpRequired)


async def test_a_password_alone_never_reaches_level_2(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await browser.sign_in("alice")
    session = await browser.send()
    assert session.require() == "alice"
    with pytest.raises(StepUpRequired) as refused:
        session.require(level=2, max_age="5m")
    assert (refused.value.level, refused.value.max_age) == (2, 300)


async def test_a_step_up_on_one_session_does_not_raise_another(sessions: Sessions) -> None:
    laptop, phone = Browser(sessions), Browser(sessions)
    await laptop.sign_in("alice")
    await phone.sign_in("alice")
    thief = twin(laptop)
    await step_up(laptop)
    assert (await laptop.send()).require(level=2) == "alice"
    with pytest.raises(StepUpRequired):
        (await phone.send()).require(level=2)
    assert (await thief.send()).subject is None


async def test_the_age_counts_to_the_millisecond(sessions: Sessions, clock: Clock) -> None:
    """R-073: 15 minutes are enough for 15 minutes, a millisecond more is too much."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    clock.move(minutes=15)
    assert (await browser.send()).require(max_age="15m") == "alice"
    clock.move(milliseconds=1)
    with pytest.raises(StepUpRequired):
        (await browser.send()).require(max_age="15m")


async def test_activity_is_no_authentication(sessions: Sessions, clock: Clock) -> None:
    """Neither a change of data nor a rotation counts; a step-up does, in its own request too."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    for _ in range(4):
        clock.move(minutes=5)
        await browser.put(cart=clock.ms)
    session = await browser.send()
    session.privilege_changed()
    with pytest.raises(StepUpRequired):
        session.require(max_age="15m")
    await browser.finish(session)
    session = await browser.send()
    with pytest.raises(StepUpRequired):
        session.require(max_age="15m")
    session.step_up(1)
    assert session.require(max_age="1s") == "alice"
    await browser.finish(session)
    assert (await browser.send()).require(max_age="1s") == "alice"


async def test_a_sign_in_counts_in_its_own_request(sessions: Sessions) -> None:
    session = await Browser(sessions).send()
    session.sign_in("alice", assurance=2)
    assert session.require(level=2, max_age="1s") == "alice"


async def test_an_open_socket_grows_older(sessions: Sessions, clock: Clock) -> None:
    """Fails when a socket is asked about the time of its handshake."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    socket = await browser.send()
    await sessions.commit(socket)
    assert socket.require(max_age="5m") == "alice"
    clock.move(minutes=6)
    await sessions.commit(socket)
    with pytest.raises(StepUpRequired):
        socket.require(max_age="5m")


async def test_a_clock_that_may_be_off_counts_against_the_user(store: Store) -> None:
    """Fails when what is unknown of the store's clock is taken for nothing."""
    local = Clock()
    sessions = Sessions(store, policy=Policy())
    measured: Any = sessions
    own = measured._clock = StoreClock(local)
    own.due, own.offset, own.error = local.ms * 2, 0, 0
    object.__setattr__(measured._parts, "clock", own)
    browser = Browser(sessions)
    await browser.sign_in("alice")
    local.move(minutes=5)
    assert (await browser.send()).require(max_age="5m") == "alice"
    own.error = 1
    with pytest.raises(StepUpRequired):
        (await browser.send()).require(max_age="5m")


CHANGES: dict[str, Callable[[Session], None]] = {
    "role or password": lambda session: session.privilege_changed(),
    "step-up": lambda session: session.step_up(2),
    "sign-in": lambda session: session.sign_in("alice"),
    "impersonation": lambda session: session.impersonate("bob"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_every_change_of_privilege_kills_the_old_token(
    change: Callable[[Session], None], sessions: Sessions
) -> None:
    """R-022, R-023: the cookie changes, and the old one opens nothing."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    old = twin(browser)
    session = await browser.send()
    change(session)
    answer = await browser.finish(session)
    assert (answer.status, answer.cookie) == (200, "set")
    assert (await old.send()).subject is None
    assert (await browser.send()).subject is not None
