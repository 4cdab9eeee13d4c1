"""A session's life: created late, seen, rotated, listed, expired, ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coatcheck import (
    Client,
    Done,
    Event,
    Happened,
    Holder,
    MemoryStore,
    Policy,
    Session,
    Sessions,
    Standing,
    Store,
    Token,
)
from coatcheck.core.outcome import KEPT
from coatcheck.core.record import Record
from coatcheck.errors import SessionTooLarge, Unauthenticated
from coatcheck.stores.redis import RedisStore
from coatcheck.testing import Clock
from tests.sessions.browser import Browser, twin

HERE = Client("192.0.2.7", "Firefox on Linux")


def at(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.ms / 1000, UTC)


async def stored(store: Store, browser: Browser) -> Record:
    token = browser.jar.get(Holder.SIGNED_IN) or browser.jar[Holder.VISITOR]
    record = await store.load(token.id)
    assert isinstance(record, Record)
    return record


async def test_nothing_is_stored_until_something_is_put_in(sessions: Sessions) -> None:
    """M7, R-080: reading, an empty end and an emptied new session store nothing."""
    browser = Browser(sessions)
    for _ in range(3):
        session = await browser.send()
        assert session.get("cart") is None
        session["x"] = 1
        del session["x"]
        session.privilege_changed()
        session.end()
        answer = await browser.finish(session)
        assert (answer.outcome and answer.outcome.done, answer.cookies) == (Done.KEPT, {})
    assert await sessions.count() == 0


async def test_a_rotation_of_nothing_stores_nothing(sessions: Sessions) -> None:
    """R-080. Fails when a privilege change alone is taken for something to store."""
    session = await Browser(sessions).send()
    session.privilege_changed()
    assert await sessions.commit(session) == KEPT
    assert await sessions.count() == 0


async def test_overlapping_requests_sweep_once_a_minute(clock: Clock) -> None:
    """Fails when the arrival of a request that overlaps a sweep is taken for a clock set back."""

    class Counting(MemoryStore):
        sweeps = 0

        async def sweep(self, before: int, limit: int, /) -> int:
            self.sweeps += 1
            return await super().sweep(before, limit)

    store = Counting()
    sessions = Sessions(store, clock=clock)
    waiting: list[Session] = []
    for number in range(20):
        clock.move(milliseconds=5)
        waiting.append(await sessions.open(None))
        waiting[-1]["number"] = number
        if number > 2:
            await sessions.commit(waiting.pop(0))
    assert store.sweeps == 1


@pytest.mark.parametrize("writes", [True, False])
async def test_a_later_commit_does_not_revive_what_was_idle_for_too_long(
    sessions: Sessions, clock: Clock, writes: bool
) -> None:
    """T4, a socket that was open all the time. Fails when its commit counts as activity."""
    browser = Browser(sessions)
    await browser.sign_in("alice", cart="hat")
    socket = await browser.send()
    await sessions.commit(socket)
    assert socket["cart"] == "hat"
    clock.move(minutes=29)
    await twin(browser).put(other=1)
    clock.move(minutes=2)
    assert (await sessions.commit(socket)).done is not Done.DROPPED, "another tab kept it alive"
    clock.move(minutes=30)
    if writes:
        socket["late"] = 1
    assert (await sessions.commit(socket)).done is Done.DROPPED
    await sessions.flush()
    assert await browser.see() == (None, {})


class Name(str):
    """Text that a framework marks, as it does what needs no escaping."""

    __slots__ = ()


@pytest.mark.parametrize(("subject", "assurance"), [(Name("alice"), 1), ("alice", True)])
async def test_a_subject_of_another_kind_of_text_is_the_same_user(
    sessions: Sessions, subject: str, assurance: int
) -> None:
    """Fails when what a store cannot keep as it is gets there."""
    browser = Browser(sessions)
    session = await browser.send()
    session.sign_in(subject, assurance=assurance)
    assert (await browser.finish(session)).status == 200
    session = await browser.send()
    assert (type(session.subject), session.subject, session.assurance) == (str, "alice", 1)
    assert type(session.assurance) is int


async def test_a_session_tells_all_about_itself(
    store: Store, sessions: Sessions, clock: Clock
) -> None:
    """M2."""
    session = await sessions.open(None, client=HERE)
    assert (session.id, session.subject, session.assurance) == (None, None, 0)
    assert (session.created_at, session.expires_at, session.client) == (None, None, HERE)
    session.sign_in("alice", assurance=2)
    assert (session.subject, session.require_subject(), session.assurance) == ("alice", "alice", 2)
    outcome = await sessions.commit(session)
    made = at(clock)
    assert outcome.token is not None
    assert session.id == outcome.token.id
    clock.move(minutes=10)
    again = await sessions.open(outcome.token, client=Client("198.51.100.1", "curl"))
    assert (again.subject, again.assurance, again.client) == ("alice", 2, HERE)
    assert (again.created_at, again.authenticated_at, again.seen_at) == (made, made, made)
    assert again.expires_at == made + timedelta(minutes=40)
    assert "alice" in repr(again)


async def test_an_unchanged_session_is_not_written(store: Store, sessions: Sessions) -> None:
    """M8: nested changes are seen; a change taken back is none."""
    browser = Browser(sessions)
    await browser.put(cart={"456": 2}, tags={3, 1, 2}, pair=(1, 2))
    before = await stored(store, browser)
    session = await browser.send()
    session["cart"]["456"] += 1
    session["cart"]["456"] -= 1
    session["tags"] = {1, 2, 3}
    await browser.finish(session)
    assert await stored(store, browser) == before
    session = await browser.send()
    session["cart"]["456"] += 1
    await browser.finish(session)
    assert (await stored(store, browser)).version == before.version + 1


async def test_idle_time_is_counted_from_the_last_activity(
    sessions: Sessions, clock: Clock
) -> None:
    """R-030, T4: 29 minutes later alive and restarted, 31 after that gone."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    for _ in range(3):
        clock.move(minutes=29)
        session = await browser.send()
        assert session.subject == "alice"
        await browser.finish(session)
        assert session.info is not None
        assert session.info.expires_at == session.expires_at
    clock.move(minutes=31)
    session = await browser.send()
    assert (session.subject, session.standing) == (None, Standing.EXPIRED)


async def test_activity_never_extends_the_absolute_lifetime(
    sessions: Sessions, clock: Clock
) -> None:
    """R-031: not by activity, not by rotation."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    created = (await browser.send()).created_at
    for minute in range(12 * 60 - 1):
        clock.move(minutes=1)
        session = await browser.send()
        assert (session.subject, session.created_at) == ("alice", created)
        if minute % 100 == 0:
            session.privilege_changed()
        await browser.finish(session)
    clock.move(minutes=1)
    assert (await browser.see())[0] is None


async def test_signing_in_again_restarts_both_timeouts(
    store: Store, sessions: Sessions, clock: Clock
) -> None:
    """R-034: re-authentication resets both timers, a step-up only says that more was proved."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    first = await stored(store, browser)
    clock.move(minutes=20)
    session = await browser.send()
    session.step_up(2)
    await browser.finish(session)
    stepped = await stored(store, browser)
    assert (stepped.ends_at, stepped.assurance) == (first.ends_at, 2)
    assert (stepped.authenticated_at, stepped.created_at) == (clock.ms, first.created_at)
    clock.move(minutes=20)
    await browser.sign_in("alice")
    again = await stored(store, browser)
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert again.ends_at == clock.ms + 12 * 3_600_000
    assert (again.authenticated_at, again.seen_at, again.assurance) == (clock.ms, clock.ms, 1)


async def test_activity_can_be_ignored(sessions: Sessions, clock: Clock) -> None:
    """R-030: a poll leaves the idle timer alone, whatever else it writes."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    expires_at = (await browser.send()).expires_at
    clock.move(minutes=20)
    session = await browser.send(is_activity=False)
    session["polled"] = True
    await browser.finish(session)
    session = await browser.send(is_activity=False)
    assert (session.expires_at, session["polled"]) == (expires_at, True)


async def test_expiry_is_what_was_granted_whatever_the_settings_are_now(
    store: Store, clock: Clock
) -> None:
    """R-035."""
    browser = Browser(Sessions(store, clock=clock))
    await browser.sign_in("alice")
    generous = Sessions(store, clock=clock, policy=Policy(idle=timedelta(hours=9)))
    clock.move(minutes=29)
    await Browser(generous, browser.jar).put(x=1)
    clock.move(minutes=31)
    assert (await Browser(generous, browser.jar).see())[0] is None


@pytest.mark.parametrize("how", ["sign_in", "step_up", "rotate"])
async def test_a_privilege_change_kills_every_older_token(sessions: Sessions, how: str) -> None:
    """P1, R-021, R-022: same id or new, the old secret opens nothing, at once."""
    browser = Browser(sessions)
    await browser.sign_in("alice", cart=1)
    thief = twin(browser)
    session = await browser.send()
    {"sign_in": lambda: session.sign_in("alice"), "step_up": lambda: session.step_up(2)}.get(
        how, session.privilege_changed
    )()
    await browser.finish(session)
    assert await browser.see() == ("alice", {"cart": 1})
    assert (await thief.send()).standing is Standing.RETIRED
    assert await thief.see() == (None, {})


async def test_a_planted_token_is_dead_after_the_login(sessions: Sessions) -> None:
    """R-002, R-021: fixation. An attacker's own session does not become the victim's."""
    attacker = Browser(sessions)
    await attacker.put(cart="planted")
    victim = twin(attacker)
    await victim.sign_in("alice")
    assert victim.jar[Holder.SIGNED_IN].id != attacker.jar[Holder.VISITOR].id
    assert await attacker.see() == (None, {})
    unknown = Token.mint(bytes)
    session = await sessions.open(unknown)
    session["x"] = 1
    outcome = await sessions.commit(session)
    assert outcome.token is not None
    assert outcome.token.id != unknown.id


async def test_signing_in_over_another_user_starts_empty_at_once(sessions: Sessions) -> None:
    """P4."""
    browser = Browser(sessions)
    await browser.sign_in("alice", cart={"hers": 1}, note="private")
    session = await browser.send()
    session.sign_in("bob")
    assert dict(session) == {}
    session["his"] = 1
    await browser.finish(session)
    assert await browser.see() == ("bob", {"his": 1})
    assert await sessions.list("alice") == []


async def test_the_librarys_own_keys_do_not_move(sessions: Sessions) -> None:
    """P5, R-066. Nor does what Django and Flask-WTF check forms by."""
    browser = Browser(sessions)
    secrets = dict.fromkeys(["coatcheck:csrf", "_csrftoken", "csrf_token"], "secret")
    await browser.put(**{"cart": 1, **secrets})
    await browser.sign_in("alice")
    assert await browser.see() == ("alice", {"cart": 1})


async def test_emptying_a_stored_session_ends_it(store: Store, sessions: Sessions) -> None:
    browser = Browser(sessions)
    await browser.sign_in("alice", cart=1)
    session = await browser.send()
    session.clear()
    answer = await browser.finish(session)
    assert (answer.cookie, await sessions.list("alice")) == ("delete", [])
    await browser.sign_in("alice")  # nothing in it from the start: that is no emptying
    session = await browser.send()
    session["x"] = 1
    await browser.finish(session)
    assert (await browser.see())[0] == "alice"


async def test_clearing_before_a_sign_in_is_a_sign_in(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await browser.put(cart=1)
    session = await browser.send()
    session.clear()
    session.sign_in("alice")
    await browser.finish(session)
    assert await browser.see() == ("alice", {})


async def test_after_an_end_the_same_request_can_start_anew(sessions: Sessions) -> None:
    """A message for the next page, or the next user; nothing of the ended session is in it."""
    browser = Browser(sessions)
    await browser.sign_in("alice", cart=1)
    session = await browser.send()
    session.end()
    assert (session.subject, dict(session), session.id) == (None, {}, None)
    session["flash"] = "see you"
    answer = await browser.finish(session)
    assert set(answer.cookies) == set(Holder)
    assert await browser.see() == (None, {"flash": "see you"})
    await browser.sign_in("alice", cart=1)
    session = await browser.send()
    session.end()
    session.sign_in("bob")
    await browser.finish(session)
    assert await browser.see() == ("bob", {})
    assert await sessions.list("alice") == []


async def test_of_two_users_in_one_request_the_last_one_stays(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await browser.put(cart="visitor's")
    session = await browser.send()
    session.sign_in("alice")
    session["hers"] = 1
    session.sign_in("bob")
    await browser.finish(session)
    assert await browser.see() == ("bob", {})
    assert await sessions.list("alice") == []


async def test_lists_names_and_ends_a_users_sessions(sessions: Sessions, clock: Clock) -> None:
    """M43: the most recent first; another user's is not there to be ended."""
    browsers = [Browser(sessions) for _ in range(3)]
    for number, browser in enumerate(browsers):
        session = await sessions.open(None, client=Client("192.0.2.1", f"Browser {number}"))
        session.sign_in("alice")
        await browser.finish(session)
        clock.move(minutes=1)
    await Browser(sessions).sign_in("bob")
    infos = await sessions.list("alice")
    assert [info.client.agent for info in infos] == ["Browser 2", "Browser 1", "Browser 0"]
    assert not any(name.endswith("digest") for name in dir(infos[0]))
    assert not await sessions.end(infos[1].id, subject="bob")
    assert await sessions.end(infos[1].id, subject="alice")
    assert not await sessions.end(infos[1].id, subject="alice")
    assert (await browsers[1].see())[0] is None
    assert len(await sessions.list("alice")) == 2
    assert len(await sessions.list("bob")) == 1


async def test_expired_sessions_are_not_listed(sessions: Sessions, clock: Clock) -> None:
    await Browser(sessions).sign_in("alice")
    clock.move(minutes=31)
    await Browser(sessions).sign_in("alice")
    assert len(await sessions.list("alice")) == 1


async def test_ends_all_sessions_of_a_user_or_all_others(sessions: Sessions, clock: Clock) -> None:
    browsers = [Browser(sessions) for _ in range(3)]
    for browser in browsers:
        await browser.sign_in("alice")
    bob = Browser(sessions)
    await bob.sign_in("bob")
    clock.move(seconds=1)
    mine = await browsers[0].send()
    assert await sessions.end_all("alice", keep=mine) == 2
    await browsers[0].finish(mine)
    assert [(await browser.see())[0] for browser in browsers] == ["alice", None, None]
    assert await sessions.end_all("alice") == 1
    assert await sessions.end_all("alice") == 0
    assert (await browsers[0].see())[0] is None
    assert (await bob.see())[0] == "bob"


async def test_a_login_under_way_does_not_escape_the_end_of_all(
    sessions: Sessions, clock: Clock
) -> None:
    """G2: fails when the index entry is added without looking at the bar."""
    late = Browser(sessions)
    session = await late.send()
    session.sign_in("alice")
    clock.move(seconds=1)
    assert await sessions.end_all("alice") == 0
    answer = await late.finish(session)
    assert (answer.status, answer.cookie, late.jar) == (401, "-", {})
    assert (await sessions.list("alice"), await sessions.count()) == ([], 0)
    clock.move(seconds=1)
    assert (await late.sign_in("alice")).status == 200


async def test_the_request_that_ends_all_may_sign_in_itself(
    sessions: Sessions, clock: Clock
) -> None:
    """A new password: all sessions end, and the one who set it goes on."""
    old = Browser(sessions)
    await old.sign_in("alice")
    clock.move(seconds=1)
    browser = Browser(sessions)
    session = await browser.send()
    assert await sessions.end_all("alice", keep=session) == 1
    session.sign_in("alice")
    assert (await browser.finish(session)).status == 200
    assert [(await b.see())[0] for b in (old, browser)] == [None, "alice"]


async def test_somebody_elses_end_of_all_counts_all_the_same(
    sessions: Sessions, clock: Clock
) -> None:
    """G2: one's own bar excuses only oneself, not a bar that another raised in between."""
    browser = Browser(sessions)
    session = await browser.send()
    clock.move(seconds=1)
    await sessions.end_all("alice")
    clock.move(seconds=1)
    await sessions.end_all("alice", keep=session)
    session.sign_in("alice")
    assert (await browser.finish(session)).status == 401


async def test_a_session_over_the_limit_is_refused_and_stays_as_it_was(
    store: Store, clock: Clock
) -> None:
    """M20: with the sizes by key; a warning from half of it on."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, policy=Policy(max_size=1_000), on_event=events.append)
    browser = Browser(sessions)
    await browser.put(cart="x" * 400)
    assert [event.kind for event in events] == [Happened.CREATED]
    await browser.put(more="x" * 200)
    large = [event for event in events if event.kind is Happened.LARGE]
    assert [event.facts["largest"] for event in large] == ["'cart' 409, 'more' 208"]
    before = await stored(store, browser)
    session = await browser.send()
    session["photo"] = "x" * 600
    with pytest.raises(SessionTooLarge, match="'photo' 6") as refused:
        await sessions.commit(session)
    assert list(refused.value.sizes) == ["photo", "cart", "more"]
    assert await stored(store, browser) == before


async def test_data_that_cannot_be_encoded_is_named_and_nothing_is_saved(
    store: Store, sessions: Sessions
) -> None:
    browser = Browser(sessions)
    await browser.put(cart=1)
    before = await stored(store, browser)
    session = await browser.send()
    session["profile"] = object()
    with pytest.raises(TypeError, match="'profile'"):
        await sessions.commit(session)
    assert await stored(store, browser) == before


async def test_a_record_that_cannot_be_read_harms_its_user_only(store: Store, clock: Clock) -> None:
    """R-013: unauthenticated, left where it is, reported once."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    browser, other = Browser(sessions), Browser(sessions)
    await browser.sign_in("alice")
    await other.sign_in("bob")
    good = await stored(store, browser)
    bad = good._replace(version=2, payload=good.payload[:-1] + b"\xc1")
    await store.save(bad, good)
    for _ in range(3):
        session = await browser.send()
        assert (session.subject, session.standing) == (None, Standing.UNREADABLE)
        await browser.finish(session)
    assert [event.kind for event in events].count(Happened.UNREADABLE) == 1
    assert await store.load(bad.id) == bad
    assert (await other.see())[0] == "bob"
    await browser.sign_in("alice")
    assert await store.load(bad.id) == bad


@pytest.mark.parametrize("field", ["subject", "assurance", "ends_at", "idle", "created_at"])
async def test_a_record_whose_fields_were_exchanged_is_not_believed(
    store: Store, sessions: Sessions, field: str
) -> None:
    """R-013: fails when the payload is bound to the id alone."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    good = await stored(store, browser)
    other: Any = {"subject": "admin"}.get(field) or getattr(good, field) + 1
    await store.save(good._replace(version=2, **{field: other}), good)
    assert (await browser.see())[0] is None


async def test_no_listener_can_break_a_request(store: Store, clock: Clock) -> None:
    def listener(event: Event) -> None:
        raise RuntimeError(event.kind)

    browser = Browser(Sessions(store, clock=clock, on_event=listener))
    await browser.sign_in("alice")
    assert (await browser.see())[0] == "alice"


async def test_each_thing_that_happens_is_told_once(store: Store, clock: Clock) -> None:
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    browser = Browser(sessions)
    await browser.put(cart=1)
    await browser.sign_in("alice")
    late = await browser.send()
    session = await browser.send()
    session.end()
    await browser.finish(session)
    late["cart"] = 2
    await browser.finish(late)
    browser.jar = {Holder.SIGNED_IN: Token.mint(bytes)}
    await browser.see()
    told = [(event.kind.value, event.subject, event.cause) for event in events]
    assert told == [
        ("session_created", None, None),
        ("session_ended", None, "moved"),
        ("session_created", "alice", "sign_in"),
        ("session_ended", "alice", "end"),
        ("change_dropped", "alice", None),
        ("token_refused", None, "absent"),
    ]


async def test_what_was_dropped_never_becomes_a_new_session(sessions: Sessions) -> None:
    """A socket or stream commits again: its session stays over."""
    browser = Browser(sessions)
    await browser.sign_in("alice", cart=1)
    stream = await browser.send()
    session = await browser.send()
    session.end()
    await browser.finish(session)
    for value in (2, 3):
        stream["cart"] = value
        assert (await sessions.commit(stream)).done is Done.DROPPED
        assert (stream.subject, stream) == (None, {})
    assert await sessions.count() == 0


async def test_commits_of_one_long_request_build_on_each_other(
    store: Store, sessions: Sessions, clock: Clock
) -> None:
    """A socket: each commit is activity, and shows what others wrote."""
    browser = Browser(sessions)
    await browser.sign_in("alice", n=0)
    socket = await browser.send()
    for n in range(1, 8):
        clock.move(minutes=20)
        socket["n"] = n
        await sessions.commit(socket)
        await browser.put(**{f"k{n}": n})
    await sessions.commit(socket)
    socket["last"] = True
    await sessions.commit(socket)
    assert socket == {"n": 7, "last": True} | {f"k{n}": n for n in range(1, 8)}
    assert (await browser.see())[1] == socket


async def test_edits_and_plain_changes_are_replayed_in_their_order(sessions: Sessions) -> None:
    browser = Browser(sessions)
    await browser.put(log=[], n=0)

    def double(data: dict[str, Any]) -> None:
        data["n"] *= 2

    def note(data: dict[str, Any]) -> None:
        data["log"].append("late")

    session = await browser.send()
    await browser.put(n=5, log=["early"])
    session["mine"] = 1
    session.edit(note)
    session.edit(double)
    await browser.finish(session)
    assert (await browser.see())[1] == {"log": ["early", "late"], "n": 10, "mine": 1}


async def test_sweeps_at_most_once_a_minute(store: Store, clock: Clock) -> None:
    """M10, M13: on by default, by whoever commits."""
    events: list[Event] = []
    sessions = Sessions(store, clock=clock, on_event=events.append)
    for _ in range(3):
        await Browser(sessions).put(x=1)
    clock.move(minutes=32)
    for _ in range(3):
        await Browser(sessions).put(x=1)
    swept = [event.facts["count"] for event in events if event.kind is Happened.SWEPT]
    forgets_by_itself = isinstance(store, RedisStore)  # in real time
    assert swept == ([] if forgets_by_itself else [3])
    assert await sessions.count() == (6 if forgets_by_itself else 3)


async def test_requires_somebody(sessions: Sessions) -> None:
    session = await sessions.open(None)
    with pytest.raises(Unauthenticated):
        session.require_subject()
    with pytest.raises(ValueError, match="sign_in needs"):
        session.sign_in("")
    session.sign_in("alice", assurance=2)
    with pytest.raises(ValueError, match="below"):
        session.step_up(1)
