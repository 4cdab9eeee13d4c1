"""A sign-in that waits for its second factor: it opens nothing (R-074), and not for long."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coatcheck import Holder, Policy, Session, Sessions, Store
from coatcheck.core.outcome import KEPT
from coatcheck.core.own import PENDING
from coatcheck.errors import ConfigurationError, StepUpRequired, Unauthenticated
from coatcheck.testing import Clock
from tests.kinds import ON_EVERY
from tests.sessions.browser import Answer, Browser, twin


async def give_password(browser: Browser, subject: str = "alice") -> Answer:
    session = await browser.send()
    session.expect_factor(subject)
    return await browser.finish(session)


async def give_code(browser: Browser, *, right: bool = True) -> Answer:
    """Do as a route does that checks a code."""
    session = await browser.send()
    try:
        subject = await browser.sessions.spend_attempt(session)
    except Unauthenticated:
        return Answer(401, {})
    if right:
        session.sign_in(subject, assurance=2)
    return await browser.finish(session)


async def test_a_password_opens_nothing_and_the_code_signs_in(
    sessions: Sessions, clock: Clock
) -> None:
    browser = Browser(sessions)
    await browser.put(cart=1)
    await give_password(browser)
    session = await browser.send()
    assert (session.subject, session.assurance, dict(session)) == (None, 0, {"cart": 1})
    assert browser.jar.keys() == {Holder.VISITOR}
    assert session.pending is not None
    assert (session.pending.subject, session.pending.attempts) == ("alice", 5)
    over = datetime.fromtimestamp(clock.ms / 1000, UTC) + timedelta(minutes=5)
    assert session.pending.expires_at == over
    with pytest.raises(Unauthenticated) as refused:
        session.require()
    assert not isinstance(refused.value, StepUpRequired)
    assert await sessions.list("alice") == []
    assert (await give_code(browser)).status == 200
    session = await browser.send()
    assert (session.require(level=2), session.pending, dict(session)) == (
        "alice",
        None,
        {"cart": 1},
    )


async def test_without_a_password_there_is_no_second_step(sessions: Sessions) -> None:
    """R-074: skipping a step fails."""
    browser = Browser(sessions)
    assert (await give_code(browser)).status == 401
    await browser.put(cart=1)
    assert (await give_code(browser)).status == 401
    await browser.sign_in("mallory")
    assert (await give_code(browser)).status == 401


@pytest.mark.parametrize("excuse", [False, True])
async def test_an_end_of_all_refuses_who_gave_the_old_password(
    sessions: Sessions, clock: Clock, excuse: bool
) -> None:
    """R-038. Fails when the code counts from its own request, and whatever that one ends itself."""
    thief, other = Browser(sessions), Browser(sessions)
    await give_password(thief)
    await give_password(other, "bob")
    clock.move(seconds=1)
    await sessions.end_all("alice")
    clock.move(seconds=1)
    session = await thief.send()
    subject = await sessions.spend_attempt(session)
    if excuse:
        await sessions.end_all(subject, keep=session)
    session.sign_in(subject, assurance=2)
    assert (await thief.finish(session)).status == 401
    assert await sessions.list("alice") == []
    assert (await give_code(other)).status == 200
    clock.move(seconds=1)
    await give_password(thief)
    assert (await give_code(thief)).status == 200


async def test_who_sets_a_new_password_is_not_refused_by_the_end_of_all_others(
    sessions: Sessions, clock: Clock
) -> None:
    """Fails when the request that ended them cannot ask for a second factor."""
    browser = Browser(sessions)
    session = await browser.send()
    await sessions.end_all("alice", keep=session)
    session.expect_factor("alice")
    await browser.finish(session)
    clock.move(seconds=1)
    session = await browser.send()
    subject = await sessions.spend_attempt(session)
    await sessions.end_all(subject, keep=session)
    session.sign_in(subject, assurance=2)
    assert (await browser.finish(session)).status == 200


async def test_the_visitors_token_is_of_no_use_any_more(sessions: Sessions) -> None:
    """Session fixation: the attacker planted it, so would have passed the first factor with it.

    Fails when the token stays as it is.
    """
    attacker = Browser(sessions)
    await attacker.put(cart="planted")
    victim = twin(attacker)
    waiting = await attacker.send()
    await give_password(victim)
    session = await attacker.send()
    assert (session.pending, dict(session)) == (None, {})
    assert (await give_code(attacker)).status == 401
    waiting["cart"] = "planted later"
    assert (await attacker.finish(waiting)).status == 409
    assert (await give_code(victim)).status == 200
    assert (await victim.send()).subject == "alice"


async def test_a_visitor_without_a_session_gets_one(sessions: Sessions) -> None:
    browser = Browser(sessions)
    assert (await give_password(browser)).cookie == "set"
    assert (await give_code(browser)).status == 200


async def test_wrong_codes_count_down_and_then_it_is_over(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await give_password(browser)
    for left in (4, 3, 2, 1):
        assert (await give_code(browser, right=False)).status == 200
        pending = (await browser.send()).pending
        assert pending is not None
        assert pending.attempts == left
    assert (await give_code(browser, right=False)).status == 200
    assert (await browser.send()).pending is None
    assert (await give_code(browser)).status == 401
    assert (await browser.send()).subject is None
    await give_password(browser)
    assert (await give_code(browser)).status == 200


async def test_the_last_attempt_may_be_the_right_one(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await give_password(browser)
    for _ in range(4):
        await give_code(browser, right=False)
    assert (await give_code(browser)).status == 200
    assert (await browser.send()).subject == "alice"


@ON_EVERY
async def test_many_codes_at_once_are_no_more_attempts(sessions: Sessions) -> None:
    """Fails when the code is checked before its attempt is stored."""
    browser = Browser(sessions)
    await give_password(browser)
    opened = [await browser.send() for _ in range(20)]

    async def attempt(session: Any) -> bool:
        try:
            return await sessions.spend_attempt(session) == "alice"
        except Unauthenticated:
            return False

    assert sum(await asyncio.gather(*map(attempt, opened))) == 5
    assert (await browser.send()).pending is None


@ON_EVERY
async def test_other_edits_at_the_same_time_cost_no_attempt_and_give_none_back(
    sessions: Sessions,
) -> None:
    browser = Browser(sessions)
    await give_password(browser)
    slow = await browser.send()
    slow["cart"] = 1
    await give_code(browser, right=False)
    assert (await browser.finish(slow)).status == 200
    pending = (await browser.send()).pending
    assert pending is not None
    assert pending.attempts == 4


async def test_it_is_over_after_its_time(sessions: Sessions, clock: Clock) -> None:
    browser = Browser(sessions)
    await give_password(browser)
    clock.move(minutes=5, milliseconds=-1)
    assert (await browser.send()).pending is not None
    clock.move(milliseconds=1)
    assert (await browser.send()).pending is None
    assert (await give_code(browser)).status == 401


async def test_a_policy_says_how_long_and_how_often(store: Store, clock: Clock) -> None:
    policy = Policy(factor_timeout=timedelta(minutes=1), factor_attempts=1)
    browser = Browser(Sessions(store, clock=clock, policy=policy))
    await give_password(browser)
    await give_code(browser, right=False)
    assert (await browser.send()).pending is None
    await give_password(browser)
    clock.move(minutes=1)
    assert (await browser.send()).pending is None


@pytest.mark.parametrize("attempts", [0, -1, 1.5, True, "5", None])
def test_a_number_of_attempts_that_is_none(attempts: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Policy\.factor_attempts"):
        Policy(factor_attempts=attempts)


@pytest.mark.parametrize("timeout", [timedelta(), 300, None])
def test_a_timeout_that_is_none(timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Policy\.factor_timeout"):
        Policy(factor_timeout=timeout)


async def test_nobody_skips_the_password_by_writing_to_the_session(sessions: Sessions) -> None:
    """Whoever can set any key of their session still has to know the password (CWE-501)."""
    forged = {"subject": "alice", "since": 2**50, "attempts": 10**6}

    def forge(data: dict[str, Any]) -> None:
        data[PENDING], data["seen"] = forged, data.get("seen", 0) + 1

    browser = Browser(sessions)
    await browser.put(cart=1)
    writes: list[Callable[[Session], None]] = [forge, lambda session: session.edit(forge)]
    for write in writes:
        session = await browser.send()
        write(session)
        await twin(browser).put(more=id(write))  # so that the edit is run again
        await browser.finish(session)
        assert (await browser.send()).pending is None
    await give_password(browser)
    await give_code(browser, right=False)
    await browser.put(**{PENDING: forged})
    pending = (await browser.send()).pending
    assert pending is not None
    assert pending.attempts == 4


async def test_over_somebodys_session_that_session_ends(sessions: Sessions) -> None:
    """Fails when `subject` is somebody while another's second factor is awaited."""
    browser = Browser(sessions)
    await browser.sign_in("bob", cart=1)
    await give_password(browser)
    session = await browser.send()
    assert (session.subject, dict(session)) == (None, {})
    assert session.pending is not None
    assert await sessions.list("bob") == []


async def test_an_emptied_session_waits_for_nothing(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await give_password(browser)
    session = await browser.send()
    session.clear()
    assert session.pending is None
    await browser.finish(session)
    assert (await give_code(browser)).status == 401
    assert await sessions.count() == 0


async def test_an_ended_one_is_not_spent(sessions: Sessions) -> None:
    """Fails when a commit that was dropped counts as one that stored the attempt."""
    browser = Browser(sessions)
    await give_password(browser)
    late = await browser.send()
    session = await browser.send()
    session.end()
    await browser.finish(session)
    with pytest.raises(Unauthenticated):
        await sessions.spend_attempt(late)


@pytest.mark.parametrize("subject", ["", "\ud800", None, 7])
async def test_who_is_nobody(subject: Any, sessions: Sessions) -> None:
    session = await Browser(sessions).send()
    with pytest.raises(ValueError, match="expect_factor"):
        session.expect_factor(subject)


async def test_a_look_at_one_that_waits_saves_nothing(sessions: Sessions) -> None:
    """Whatever order the keys came in. Fails when the library's own is taken for an edit."""
    browser = Browser(sessions)
    await give_password(browser)
    one, two = await browser.send(), await browser.send()
    one["cart"], two["language"] = 1, "en"
    await browser.finish(one)
    await browser.finish(two)
    session = await browser.send()
    assert session.pending is not None
    assert (await browser.finish(session)).outcome == KEPT
