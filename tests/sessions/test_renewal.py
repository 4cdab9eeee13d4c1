"""Periodic renewal and replay, on every store: what R1 to R9 come to for a browser and a thief."""

from dataclasses import replace

import pytest

from coatcheck import Done, Holder, Policy, Session, Sessions, Store, Token
from coatcheck.core.events import Event, Happened
from coatcheck.core.record import Ended, Record, Stored
from coatcheck.core.standing import Standing
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock
from tests.kinds import ON_EVERY
from tests.sessions.browser import Browser, twin

CREATED = Happened.CREATED


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def sessions(store: Store, clock: Clock, events: list[Event]) -> Sessions:
    return Sessions(store, clock=clock, on_event=events.append)


@pytest.fixture
async def browser(sessions: Sessions) -> Browser:
    browser = Browser(sessions)
    await browser.sign_in("alice", cart="hat")
    return browser


def token_of(browser: Browser) -> Token:
    return browser.jar[Holder.SIGNED_IN]


async def read(browser: Browser, *, lose: bool = False) -> tuple[Done | None, str]:
    """Let the browser read; return what the commit did, and what became of the cookie."""
    session = await browser.send()
    assert session.subject == "alice"
    answer = await browser.finish(session, lose=lose)
    assert answer.status == 200
    return answer.outcome.done if answer.outcome else None, answer.cookie


async def seen(browser: Browser) -> Session:
    """Let a request arrive whose handler looks at the session."""
    session = await browser.send()
    len(session)
    return session


async def renew(browser: Browser, clock: Clock) -> None:
    """Let the browser be given a successor, and use it."""
    clock.move(minutes=16)
    assert await read(browser) == (Done.RENEWED, "set")
    assert await read(browser) == (Done.RENEWED, "-")


async def test_a_token_is_renewed_once_in_its_time(
    browser: Browser, clock: Clock, sessions: Sessions, events: list[Event]
) -> None:
    """R-031: what the session is stays as it was. Fails when each read writes."""
    first = token_of(browser)
    before = (await sessions.list("alice"))[0]
    clock.move(minutes=14)
    assert await read(browser) == (Done.TOUCHED, "-")
    clock.move(minutes=1)
    assert await read(browser) == (Done.RENEWED, "set")
    assert await read(browser) == (Done.RENEWED, "-"), "its use is noted"
    assert await read(browser) == (Done.KEPT, "-")
    second, after = token_of(browser), (await sessions.list("alice"))[0]
    assert (second.id, second.lineage) == (first.id, first.lineage)
    assert second.secret != first.secret
    same = replace(after, seen_at=before.seen_at, expires_at=before.expires_at)
    assert same == before
    assert [event.kind for event in events] == [CREATED, Happened.RENEWED]


async def test_edits_are_saved_together_with_the_renewal(browser: Browser, clock: Clock) -> None:
    clock.move(minutes=16)
    answer = await browser.put(cart="coat")
    assert (answer.status, answer.cookie) == (200, "set")
    assert answer.outcome is not None
    assert answer.outcome.done is Done.SAVED
    assert await browser.see() == ("alice", {"cart": "coat"})


@ON_EVERY
async def test_twenty_requests_at_renewal_time_get_one_successor(
    browser: Browser, clock: Clock, events: list[Event]
) -> None:
    """R-027. Fails when each draws its own: all but one would be dead on arrival."""
    clock.move(minutes=16)
    old = twin(browser)
    opened = [await seen(browser) for _ in range(20)]
    answers = [await browser.finish(session) for session in opened]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.cookies[Holder.SIGNED_IN] for answer in answers}) == 1
    assert [event.kind for event in events].count(Happened.RENEWED) == 1
    assert await read(browser) == (Done.RENEWED, "-")
    assert await read(old) == (Done.KEPT, "-"), "it was sent before"
    clock.move(seconds=61)
    assert await browser.see() == ("alice", {"cart": "hat"})
    assert (await old.send()).standing is Standing.REPLAYED


async def test_who_is_handed_the_successor_again_sees_what_others_saved(
    browser: Browser, clock: Clock
) -> None:
    """As after any commit that renews. Fails when the successor is told and the data is not."""
    clock.move(minutes=16)
    old = twin(browser)
    await read(browser)
    late = await seen(old)
    await browser.put(cart="coat")
    answer = await old.finish(late)
    assert answer.status == 200
    assert dict(late) == {"cart": "coat"}


async def test_a_lost_answer_costs_nothing(browser: Browser, clock: Clock) -> None:
    """R2, R4. Fails when the only token the browser has raises the alarm after a minute."""
    clock.move(minutes=16)
    assert await read(browser, lose=True) == (Done.RENEWED, "set")
    clock.move(minutes=20)
    assert await read(browser) == (Done.RENEWED, "set")
    clock.move(minutes=2)
    assert await read(browser) == (Done.RENEWED, "-")


async def test_a_replay_ends_the_session_and_tells_its_user(
    browser: Browser, clock: Clock, sessions: Sessions, events: list[Event]
) -> None:
    """R9, R-028: whoever of the two was the thief. Fails when the thief's branch goes on."""
    thief = twin(browser)
    await renew(thief, clock)
    await renew(thief, clock)
    session = await browser.send()
    assert (session.standing, session.subject, dict(session)) == (Standing.REPLAYED, None, {})
    assert (await browser.finish(session)).cookies == {}
    late = await thief.send()
    assert (late.standing, late.subject) == (Standing.RETIRED, None)
    assert late.ended_because is Ended.REPLAYED
    assert await sessions.list("alice") == []
    told = [event.kind for event in events if event.kind is not Happened.RENEWED]
    assert told == [CREATED, Happened.REPLAYED, Happened.ENDED, Happened.REFUSED, Happened.REFUSED]


async def test_by_policy_a_replay_is_only_reported(
    store: Store, clock: Clock, events: list[Event]
) -> None:
    policy = Policy(on_replay="report")
    browser = Browser(Sessions(store, policy=policy, clock=clock, on_event=events.append))
    await browser.sign_in("alice")
    thief = twin(browser)
    await renew(browser, clock)
    clock.move(minutes=2)
    assert await thief.see() == (None, {})
    assert Happened.REPLAYED in [event.kind for event in events]
    assert (await browser.see())[0] == "alice"


async def test_without_renewal_nothing_changes(store: Store, clock: Clock) -> None:
    browser = Browser(Sessions(store, policy=Policy(renew_after=None), clock=clock))
    await browser.sign_in("alice")
    clock.move(minutes=20)
    assert await read(browser) == (Done.TOUCHED, "-")


async def test_a_token_from_before_a_privilege_change_raises_no_alarm(
    browser: Browser, clock: Clock
) -> None:
    """R8. Fails when whoever knows an old token can sign its user out at will."""
    thief = twin(browser)
    await renew(browser, clock)
    session = await browser.send()
    session.privilege_changed()
    await browser.finish(session)
    clock.move(minutes=2)
    assert (await thief.send()).standing is Standing.RETIRED
    assert (await browser.see())[0] == "alice"


async def test_a_renewal_that_loses_to_a_rotation_sends_no_cookie(
    browser: Browser, clock: Clock
) -> None:
    """R6. Fails when a dead token is written over the one of the rotation."""
    clock.move(minutes=16)
    late, rotating = await seen(browser), await browser.send()
    rotating.privilege_changed()
    await browser.finish(rotating)
    answer = await browser.finish(late)
    assert (answer.status, answer.cookies) == (200, {})
    assert (await browser.see())[0] == "alice"


async def test_a_renewal_that_meets_the_end_sends_no_cookie(browser: Browser, clock: Clock) -> None:
    clock.move(minutes=16)
    late, ending = await seen(browser), await browser.send()
    ending.end()
    await browser.finish(ending)
    answer = await browser.finish(late)
    assert (answer.status, answer.cookies) == (200, {})


async def test_a_session_without_data_is_renewed_not_ended(
    sessions: Sessions, clock: Clock
) -> None:
    """Fails when an empty session is taken for one that was emptied."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    await renew(browser, clock)
    assert await browser.see() == ("alice", {})


async def test_who_empties_a_session_without_data_is_renewed_not_signed_out(
    sessions: Sessions, clock: Clock
) -> None:
    """Fails when data is taken for emptied that was put in and taken out by the same request."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    clock.move(minutes=16)
    session = await browser.send()
    session.edit(lambda data: data.update(seen=True))
    session.clear()
    answer = await browser.finish(session)
    assert (answer.status, answer.cookie) == (200, "set")
    assert await browser.see() == ("alice", {})


async def test_a_visitors_token_is_renewed_too(sessions: Sessions, clock: Clock) -> None:
    browser = Browser(sessions)
    await browser.put(cart="hat")
    clock.move(minutes=16)
    assert list((await browser.finish(await seen(browser))).cookies) == [Holder.VISITOR]
    assert await browser.see() == (None, {"cart": "hat"})


async def test_what_is_nobodys_activity_renews_nothing(browser: Browser, clock: Clock) -> None:
    clock.move(minutes=16)
    session = await browser.send(is_activity=False)
    assert session.subject == "alice"
    answer = await browser.finish(session)
    assert answer.outcome is not None
    assert (answer.outcome.done, answer.cookie) == (Done.KEPT, "-")


async def test_a_later_commit_renews_nothing(browser: Browser, clock: Clock) -> None:
    """Fails when a socket, which cannot hand it over, takes the successor."""
    session = await seen(browser)
    await browser.finish(session)
    clock.move(minutes=16)
    assert (await browser.finish(session)).cookies == {}
    assert await read(browser) == (Done.RENEWED, "set")


async def test_data_over_a_smaller_limit_is_still_renewed(
    browser: Browser, clock: Clock, store: Store
) -> None:
    """Fails when a read is refused for what it did not write."""
    await browser.put(cart="hat" * 200)
    smaller = Browser(Sessions(store, policy=Policy(max_size=256), clock=clock), browser.jar)
    clock.move(minutes=16)
    assert await read(smaller) == (Done.RENEWED, "set")


async def test_a_busy_session_is_judged_again_before_it_is_ended(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when a replay ends a session that changed hands since it was looked at."""
    store = MemoryStore()
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice")
    thief = twin(browser)
    await renew(browser, clock)
    clock.move(minutes=2)
    stored = await store.load(token_of(browser).id)
    session = await browser.send()
    session.privilege_changed()
    await browser.finish(session)

    async def load(id: str, /) -> Stored:
        monkeypatch.undo()
        return stored

    monkeypatch.setattr(store, "load", load)
    assert (await thief.send()).standing is Standing.RETIRED
    assert (await browser.see())[0] == "alice"


class Unwritable(MemoryStore):
    """Answers nothing, on demand; what is written was applied or was not."""

    failing: str | None = None

    async def load(self, id: str, /) -> Stored:
        if self.failing is not None:
            raise StoreUnavailable("away")
        return await super().load(id)

    async def save(self, record: Record, base: Record | None, /) -> None:
        if self.failing != "before":
            await super().save(record, base)
        if self.failing is not None and base is not None:
            raise StoreUnavailable("away")


@pytest.mark.parametrize("failing", ["before", "after"])
async def test_a_renewal_without_an_answer_fails_no_request(clock: Clock, failing: str) -> None:
    """Its token stays good. Fails when a read is answered 503, or the successor is drawn anew."""
    store = Unwritable()
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice", cart="hat")
    clock.move(minutes=16)
    session = await seen(browser)
    store.failing = failing
    assert (await browser.finish(session)).status == 200
    store.failing = None
    session["cart"] = "coat"
    assert (await browser.finish(session)).status == 200, "the same request can still save"
    assert await read(browser) == (Done.RENEWED, "set")
    assert await browser.see() == ("alice", {"cart": "coat"})
