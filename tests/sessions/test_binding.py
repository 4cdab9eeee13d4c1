"""R-071: what becomes of a session that another client presents the token of, on every store."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from coatcheck import (
    Action,
    Binding,
    Client,
    Drift,
    Event,
    Happened,
    Holder,
    MemoryStore,
    Merge,
    Policy,
    Session,
    Sessions,
    Standing,
    Store,
    Token,
)
from coatcheck.core.presented import Presented
from coatcheck.core.record import Ended, Record, Tombstone
from coatcheck.errors import ConfigurationError, StepUpRequired, Unauthenticated
from coatcheck.testing import Clock
from tests.web.spy import Spy

PHONE = Client("203.0.113.7", "Chrome on Android", "Android (mobile)", "de,en")
CAFE = PHONE._replace(address="198.51.100.20")
THIEF = Client("192.0.2.66", "Firefox on Windows", "", "de")
LADDER = {
    Action.OBSERVE: Binding(),
    Action.NOTIFY: Binding(notify=3),
    Action.STEP_UP: Binding(notify=3, step_up=4),
    Action.END: Binding(notify=3, step_up=4, end=6),
}


@dataclass
class Device:
    """Whoever holds the cookies, and where the requests come from."""

    sessions: Sessions
    client: Client = PHONE
    jar: dict[Holder, Token] = field(default_factory=dict[Holder, Token])

    async def send(self) -> Session:
        presented = [Presented(self.jar[holder], holder) for holder in Holder if holder in self.jar]
        return await self.sessions.admit(presented, client=self.client)

    async def finish(self, session: Session) -> None:
        await self.sessions.commit(session)
        for holder, token in session.state.cookies.items():
            if token is None:
                self.jar.pop(holder, None)
            else:
                self.jar[holder] = token

    async def signed_in(self, **data: object) -> "Device":
        session = await self.send()
        session.sign_in("alice", assurance=2)
        session.update(data)
        await self.finish(session)
        return self

    async def see(self) -> tuple[str | None, dict[str, object]]:
        session = await self.send()
        seen = session.subject, dict(session)
        await self.finish(session)
        return seen

    def at(self, client: Client) -> "Device":
        """Return what holds the same cookies elsewhere."""
        return Device(self.sessions, client, dict(self.jar))


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def notes() -> list[Event]:
    return []


@pytest.fixture
def make(
    store: Store, clock: Clock, events: list[Event], notes: list[Event]
) -> Callable[[Action], Sessions]:
    def make(strictest: Action) -> Sessions:
        return Sessions(
            store,
            policy=Policy(binding=LADDER[strictest]),
            clock=clock,
            on_event=events.append,
            notify=notes.append,
        )

    return make


Make = Callable[[Action], Sessions]


def changed(events: list[Event]) -> list[Event]:
    return [event for event in events if event.kind is Happened.BINDING_CHANGED]


async def test_by_default_a_thief_is_only_observed(
    make: Make, events: list[Event], notes: list[Event]
) -> None:
    phone = await Device(make(Action.OBSERVE)).signed_in(cart="hat")
    thief = phone.at(THIEF)
    assert [await thief.see() for _ in range(3)] == [("alice", {"cart": "hat"})] * 3
    (event,) = changed(events)
    assert event.facts == {
        "action": "observe",
        "score": 6,
        "address": "203.0.113.0/24 -> 192.0.2.0/24",
        "browser": "Chrome -> Firefox",
        "system": "Android -> Windows",
        "platform": "Android (mobile) -> none",
    }
    assert notes == []


async def test_carriers_and_networks_that_change_end_no_session(
    make: Make, events: list[Event], notes: list[Event]
) -> None:
    """Field note 24. From mobile to Wi-Fi, to IPv6 and back, on the strictest ladder there is."""
    phone = await Device(make(Action.END)).signed_in()
    for number in range(20):
        for address in (f"203.0.113.{number}", f"198.51.{number}.7", f"2001:db8:{number}::1", None):
            phone.client = PHONE._replace(address=address)
            assert (await phone.see())[0] == "alice"
    (event,) = changed(events)
    assert (event.facts["action"], "browser" in event.facts) == ("observe", False)
    assert notes == []


async def test_whoever_was_named_is_told_once_for_each_drift(
    make: Make, events: list[Event], notes: list[Event]
) -> None:
    """And once more after the user was proved again."""
    sessions = make(Action.NOTIFY)
    phone = await Device(sessions).signed_in()
    for _ in range(3):
        assert (await phone.at(THIEF).see())[0] == "alice"
        assert (await phone.at(CAFE).see())[0] == "alice"
    (note,) = notes
    assert (note.subject, note.facts["action"]) == ("alice", "notify")
    assert len(changed(events)) == 2
    phone = await phone.at(CAFE).signed_in()
    await phone.at(THIEF).see()
    assert len(notes) == 2


async def test_a_failing_notice_harms_nobody(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def notify(_: Event) -> None:
        raise RuntimeError("no mail today")

    sessions = Sessions(store, policy=Policy(binding=LADDER[Action.NOTIFY]), notify=notify)
    phone = await Device(sessions).signed_in()
    with caplog.at_level(logging.ERROR, "coatcheck"):
        assert (await phone.at(THIEF).see())[0] == "alice"
    assert "no mail today" in caplog.text


async def test_until_the_user_is_proved_a_doubted_session_is_nobodys_and_empty(
    make: Make, events: list[Event], notes: list[Event]
) -> None:
    """Fails closed: who looks at the subject, at the data or at the id finds nobody's."""
    phone = await Device(make(Action.STEP_UP)).signed_in(cart="hat", _user_id="alice")
    before = await phone.send()
    thief = phone.at(THIEF)
    for _ in range(2):
        session = await thief.send()
        assert (session.subject, session.assurance, session.id, session.info) == (
            None, 0, None, None,
        )  # fmt: skip
        assert (dict(session), session.get("_user_id")) == ({}, None)
        assert (session.standing, session.is_over) == (Standing.DOUBTED, True)
        assert session.doubt is not None
        assert session.doubt.subject == "alice"
        assert Drift.ADDRESS | Drift.BROWSER in session.doubt.drift
        with pytest.raises(StepUpRequired) as error:
            session.require_subject()
        assert isinstance(error.value, Unauthenticated)
        await thief.finish(session)
    assert thief.jar == phone.jar, "the cookie is neither deleted nor replaced"
    assert len(changed(events)) == len(notes) == 1
    assert before.seen_at == (await phone.send()).seen_at
    assert await phone.see() == ("alice", {"cart": "hat", "_user_id": "alice"})


async def test_nothing_withheld_is_shown_by_a_repr(make: Make) -> None:
    phone = await Device(make(Action.STEP_UP)).signed_in(cart="secret-hat")
    session = await phone.at(THIEF).send()
    shown = repr(session) + repr(session.doubt) + str(session.doubt)
    assert "secret-hat" not in shown
    assert phone.jar[Holder.SIGNED_IN].reveal() not in shown


async def test_a_doubted_session_is_no_activity(make: Make, clock: Clock) -> None:
    """Fails when a thief keeps it alive until its user comes back."""
    phone = await Device(make(Action.STEP_UP)).signed_in()
    for _ in range(4):
        clock.move(minutes=10)
        await phone.at(THIEF).see()
    assert (await phone.send()).standing is Standing.EXPIRED


@pytest.mark.parametrize("proof", ["sign_in", "step_up"])
async def test_a_proof_brings_the_session_back_and_binds_it_to_the_new_client(
    make: Make, store: Store, proof: str
) -> None:
    phone = await Device(make(Action.STEP_UP)).signed_in(cart="hat")
    laptop = phone.at(THIEF)
    session = await laptop.send()
    session["seen"] = "the login page"
    if proof == "sign_in":
        session.sign_in("alice", assurance=2)
    else:
        session.step_up(2)
    assert (session.require_subject(), session.doubt) == ("alice", None)
    assert dict(session) == {"cart": "hat", "seen": "the login page"}
    await laptop.finish(session)
    assert await laptop.see() == ("alice", {"cart": "hat", "seen": "the login page"})
    assert (await phone.send()).standing is Standing.RETIRED, "the token changed"
    (info,) = await laptop.sessions.list("alice")
    assert info.client == THIEF
    record = await store.load(info.id)
    assert isinstance(record, Record)
    assert record.id == phone.jar[Holder.SIGNED_IN].id


async def test_too_little_a_proof_brings_nothing_back(make: Make) -> None:
    phone = await Device(make(Action.STEP_UP)).signed_in(cart="hat")
    session = await phone.at(THIEF).send()
    with pytest.raises(StepUpRequired):
        session.step_up(1)
    assert (session.subject, dict(session)) == (None, {})


async def test_a_proof_that_is_not_stored_brings_nothing_back(make: Make) -> None:
    """The request failed: fails when what is left of it sees the session."""
    phone = await Device(make(Action.STEP_UP)).signed_in(cart="hat")
    thief = phone.at(THIEF)
    session = await thief.send()
    session.step_up(2)
    await thief.sessions.commit(session, discard=True)
    assert (session.subject, dict(session), session.doubt is None) == (None, {}, False)
    assert await phone.see() == ("alice", {"cart": "hat"})


async def test_another_user_gets_nothing_of_a_doubted_session(make: Make) -> None:
    phone = await Device(make(Action.STEP_UP)).signed_in(cart="hat")
    thief = phone.at(THIEF)
    session = await thief.send()
    session.sign_in("mallory")
    assert dict(session) == {}
    await thief.finish(session)
    assert await thief.see() == ("mallory", {})
    assert await thief.sessions.list("alice") == []


async def visiting(make: Make, **data: object) -> tuple[Device, Device]:
    """Return the user's phone, and a laptop where they are doubted and have a visitor's session."""
    phone = await Device(make(Action.STEP_UP)).signed_in(cart={"hat": 1}, seen="phone")
    laptop = phone.at(THIEF)
    session = await laptop.send()
    session.update(data)
    await laptop.finish(session)
    assert Holder.VISITOR in laptop.jar
    assert await laptop.see() == (None, data)
    return phone, laptop


async def prove(device: Device, session: Session, proof: str = "sign_in") -> None:
    if proof == "sign_in":
        session.sign_in("alice", assurance=2)
    else:
        session.step_up(2)
    await device.finish(session)


@pytest.mark.parametrize("proof", ["sign_in", "step_up"])
async def test_what_was_put_in_while_in_doubt_comes_along(
    make: Make, store: Store, events: list[Event], proof: str
) -> None:
    """Without what the library keeps (P5). A key that was withheld stays as it is, all of it."""
    _, laptop = await visiting(
        make, cart={"hat": 9, "cap": 2}, seen="laptop", form="x", csrf_token="y"
    )
    session = await laptop.send()
    assert session.standing is Standing.DOUBTED
    session["coatcheck:other"] = session["kept"] = "y"
    await prove(laptop, session, proof)
    whole = {"cart": {"hat": 1}, "seen": "phone", "form": "x", "kept": "y"}
    assert dict(session) == whole
    assert await laptop.see() == ("alice", whole)
    stored = await store.load(laptop.jar[Holder.VISITOR].id)
    assert isinstance(stored, Tombstone)
    assert (stored.why, stored.moved_to_subject) == (Ended.MOVED, "alice")
    moved = [e for e in events if e.kind is Happened.ENDED]
    assert [(e.id, e.cause, e.facts) for e in moved] == [
        (stored.id, "moved", {"to": laptop.jar[Holder.SIGNED_IN].id})
    ]


async def test_no_second_factor_is_awaited_once_it_was_given(make: Make) -> None:
    """Fails when the visitor's session lives on: whoever comes next has passed the password."""
    _, laptop = await visiting(make, form="x")
    session = await laptop.send()
    session.expect_factor("alice")
    await laptop.finish(session)
    session = await laptop.send()
    assert session.pending is not None
    assert await laptop.sessions.spend_attempt(session) == "alice"
    await prove(laptop, session)
    assert (await laptop.see())[0] == "alice"
    session = await laptop.send()
    session.end()
    await laptop.finish(session)
    session = await laptop.send()
    assert (session.subject, session.pending, dict(session)) == (None, None, {})


async def test_another_user_takes_along_what_they_put_in(make: Make, store: Store) -> None:
    """The request is a visitor's; what was withheld ends, as with any sign-in over it."""
    phone, laptop = await visiting(make, form="x")
    session = await laptop.send()
    session["more"] = 1
    session.sign_in("bob")
    assert dict(session) == {"form": "x", "more": 1}
    await laptop.finish(session)
    assert await laptop.see() == ("bob", {"form": "x", "more": 1})
    stored = await store.load(phone.jar[Holder.SIGNED_IN].id)
    assert isinstance(stored, Tombstone)
    assert (stored.why, stored.moved_to_subject) == (Ended.MOVED, "bob")
    assert await laptop.sessions.list("alice") == []


@pytest.mark.parametrize("meanwhile", ["edited", "stepped up", "ended"])
async def test_another_user_ends_only_what_is_in_the_same_hands(
    make: Make, store: Store, meanwhile: str
) -> None:
    """Fails when a thief's sign-in ends the session that its user has proved meanwhile."""
    phone, laptop = await visiting(make, form="x")
    session = await laptop.send()
    session.sign_in("bob")
    other = await phone.send()
    if meanwhile == "edited":
        other["late"] = 1
    elif meanwhile == "stepped up":
        other.step_up(2)
    else:
        other.end()
    id = phone.jar[Holder.SIGNED_IN].id
    await phone.finish(other)
    left = await store.load(id)
    await laptop.finish(session)
    assert await laptop.see() == ("bob", {"form": "x"})
    stored = await store.load(id)
    if meanwhile == "edited":
        assert isinstance(stored, Tombstone)
        assert stored.moved_to_subject == "bob"
        assert await laptop.sessions.list("alice") == []
    else:
        assert stored == left


async def test_what_was_withheld_is_not_left_open_by_signing_in_twice(make: Make) -> None:
    for first, last in (("bob", "alice"), ("alice", "bob")):
        phone, laptop = await visiting(make, form="x")
        session = await laptop.send()
        session.sign_in(first)
        session.sign_in(last)
        await laptop.finish(session)
        assert await laptop.see() == (last, {})
        assert (await phone.see())[0] is None


@pytest.mark.parametrize("how", ["edited", "ended", "moved to bob"])
async def test_a_visitors_session_that_changed_meanwhile_is_left_to_who_changed_it(
    make: Make, store: Store, how: str
) -> None:
    """P3. Fails when it is closed in another version than was copied, or costs the proof."""
    _, laptop = await visiting(make, form="x")
    session = await laptop.send()
    session.sign_in("alice")
    session["form"] = "proved"
    alone = Device(laptop.sessions, THIEF, {Holder.VISITOR: laptop.jar[Holder.VISITOR]})
    other = await alone.send()
    if how == "edited":
        other["form"], other["late"] = "planted", "x" * 60_000
        await alone.finish(other)
    elif how == "ended":
        await laptop.sessions.end(laptop.jar[Holder.VISITOR].id)
    else:
        other.sign_in("bob")
        await alone.finish(other)
    left = await store.load(laptop.jar[Holder.VISITOR].id)
    await laptop.finish(session)
    own = {"cart": {"hat": 1}, "seen": "phone", "form": "proved"}
    assert dict(session) == own
    assert await laptop.see() == ("alice", own)
    assert await store.load(laptop.jar[Holder.VISITOR].id) == left


@pytest.mark.parametrize("rules", [{}, {"late": Merge.REFUSE}, {"late": Merge.WHOLE}])
async def test_what_the_user_puts_in_meanwhile_comes_before_what_a_visitor_did(
    store: Store, clock: Clock, events: list[Event], rules: dict[str, Merge]
) -> None:
    """Fails when a planted key is laid over it, or refuses the proof."""
    policy = Policy(binding=LADDER[Action.STEP_UP])
    made = Sessions(store, policy=policy, clock=clock, merge=rules, on_event=events.append)
    phone, laptop = await visiting(lambda _: made, late="planted", form="x")
    session = await laptop.send()
    session.step_up(2)
    other = await phone.send()
    other["late"] = "phone"
    await phone.finish(other)
    await laptop.finish(session)
    whole = {"cart": {"hat": 1}, "seen": "phone", "late": "phone", "form": "x"}
    assert dict(session) == whole
    assert await laptop.see() == ("alice", whole)
    assert Happened.OVERWRITTEN not in [event.kind for event in events]


async def test_who_clears_before_signing_in_loses_nothing_that_was_withheld(make: Make) -> None:
    """Fails when a visitor's keys that are taken out are taken out of the user's session."""
    _, laptop = await visiting(make, cart=0, form="x")
    session = await laptop.send()
    session.clear()
    await prove(laptop, session)
    assert await laptop.see() == ("alice", {"cart": {"hat": 1}, "seen": "phone"})


async def test_a_visitor_who_empties_the_cart_ends_nothing_that_is_withheld(make: Make) -> None:
    phone, laptop = await visiting(make, form="x")
    session = await laptop.send()
    session.clear()
    await laptop.finish(session)
    assert Holder.VISITOR not in laptop.jar
    assert (await laptop.send()).doubt is not None
    assert (await phone.see())[0] == "alice"


@pytest.mark.parametrize("bad", [{1: 2}, {"bad": object()}])
@pytest.mark.parametrize("proof", ["alice", "bob", "step_up"])
async def test_what_cannot_be_stored_is_said_before_anything_is_done(
    make: Make, proof: str, bad: dict[str, object]
) -> None:
    """Fails when a sign-in that raised has taken the withheld session up already."""
    phone, laptop = await visiting(make, form="x")
    session = await laptop.send()
    session.update(bad)
    with pytest.raises(TypeError, match="session key"):
        session.step_up(2) if proof == "step_up" else session.sign_in(proof)
    assert (session.subject, session.doubt is not None) == (None, True)
    for key in bad:
        del session[key]
    await laptop.finish(session)
    assert await laptop.see() == (None, {"form": "x"})
    assert (await phone.see())[0] == "alice"


async def test_a_proof_that_is_not_stored_leaves_the_visitors_session(make: Make) -> None:
    for subject in ("alice", "bob"):
        _, laptop = await visiting(make, form="x")
        session = await laptop.send()
        session.sign_in(subject)
        await laptop.sessions.commit(session, discard=True)
        assert (session.subject, dict(session)) == (None, {"form": "x"})
        assert session.doubt is not None
        session["error"] = "shown"
        await laptop.finish(session)
        assert await laptop.see() == (None, {"form": "x", "error": "shown"})


@pytest.mark.parametrize("much", [{"z": "z" * 65_000}, {f"z{n}": n for n in range(999)}])
async def test_a_visitors_session_that_is_too_large_keeps_nobody_out(
    make: Make, store: Store, much: dict[str, object]
) -> None:
    """It may have been planted. Fails when it goes along and leaves no room for the proof."""
    _, laptop = await visiting(make, **much)
    session = await laptop.send()
    session.step_up(2)
    assert len(session) == 2
    session["proved"] = session["how"] = "x" * 1_000
    await laptop.finish(session)
    assert (session.subject, len(session)) == ("alice", 4)
    assert isinstance(await store.load(laptop.jar[Holder.VISITOR].id), Record)


async def test_who_is_proved_goes_on_while_the_visitors_session_cannot_be_closed(
    clock: Clock, events: list[Event]
) -> None:
    spy = Spy(MemoryStore())
    policy = Policy(binding=LADDER[Action.STEP_UP])
    made = Sessions(spy.store, policy=policy, clock=clock, on_event=events.append)
    _, laptop = await visiting(lambda _: made, form="x")
    session = await laptop.send()
    spy.down = {"end"}
    await prove(laptop, session)
    assert Happened.UNAVAILABLE in [event.kind for event in events]
    assert (await laptop.see())[0] == "alice"


async def test_a_logout_ends_the_visitors_session_too(make: Make, store: Store) -> None:
    for is_proved in (False, True):
        phone, laptop = await visiting(make, form="x")
        session = await laptop.send()
        if is_proved:
            session.sign_in("alice")
        session.end()
        ids = [token.id for token in laptop.jar.values()]
        await laptop.finish(session)
        assert laptop.jar == {}
        assert [isinstance(await store.load(id), Tombstone) for id in ids] == [True, True]
        assert (await phone.send()).standing is Standing.RETIRED


async def test_a_logout_ends_a_doubted_session(make: Make, store: Store) -> None:
    phone = await Device(make(Action.STEP_UP)).signed_in(cart="hat")
    laptop = phone.at(THIEF)
    session = await laptop.send()
    session.end()
    await laptop.finish(session)
    assert laptop.jar == {}
    assert (await phone.send()).standing is Standing.RETIRED


async def test_a_doubted_session_is_not_kept_by_an_end_of_all(make: Make) -> None:
    phone = await Device(make(Action.STEP_UP)).signed_in()
    session = await phone.at(THIEF).send()
    assert await phone.sessions.end_all("alice", keep=session) == 1
    assert (await phone.see())[0] is None


async def test_a_doubted_token_that_was_planted_for_a_visitor_opens_nothing(make: Make) -> None:
    phone = await Device(make(Action.STEP_UP)).signed_in()
    planted = Device(phone.sessions, THIEF, {Holder.VISITOR: phone.jar[Holder.SIGNED_IN]})
    session = await planted.send()
    assert (session.standing, session.doubt) == (Standing.RETIRED, None)


async def test_too_great_a_drift_ends_the_session(
    make: Make, store: Store, events: list[Event], notes: list[Event]
) -> None:
    phone = await Device(make(Action.END)).signed_in(cart="hat")
    thief = phone.at(THIEF)
    assert await thief.see() == (None, {})
    assert await phone.see() == (None, {})
    stored = await store.load(phone.jar[Holder.SIGNED_IN].id)
    assert isinstance(stored, Tombstone)
    assert stored.why == Ended.BINDING
    assert [e.cause for e in events if e.kind is Happened.ENDED] == ["binding"]
    assert [note.facts["action"] for note in notes] == ["end"]
    assert await phone.sessions.list("alice") == []
    session = await phone.send()
    with pytest.raises(Unauthenticated):
        session.step_up(2)


@pytest.mark.parametrize("strictest", [Action.OBSERVE, Action.STEP_UP, Action.END])
async def test_a_session_that_cannot_be_read_is_left_alone_on_every_client(
    make: Make, store: Store, events: list[Event], strictest: Action
) -> None:
    """Another version may read it. A logout ends it all the same, as on its own client."""
    phone = await Device(make(strictest)).signed_in()
    good = await store.load(phone.jar[Holder.SIGNED_IN].id)
    assert isinstance(good, Record)
    await store.save(good._replace(version=2, payload=good.payload + b"!"), good)
    thief = phone.at(THIEF)
    for _ in range(2):
        session = await thief.send()
        assert (session.subject, session.doubt, dict(session)) == (None, None, {})
        assert (session.standing, session.state.base) == (Standing.UNREADABLE, None)
        await thief.finish(session)
    assert [event.kind for event in events].count(Happened.UNREADABLE) == 1
    assert isinstance(await store.load(good.id), Record)
    session = await thief.send()
    session.end()
    await thief.finish(session)
    assert isinstance(await store.load(good.id), Tombstone)


async def test_a_visitor_may_be_anywhere(make: Make, events: list[Event]) -> None:
    """There is nobody to be proved."""
    device = Device(make(Action.END))
    session = await device.send()
    session["cart"] = "hat"
    await device.finish(session)
    assert await device.at(THIEF).see() == (None, {"cart": "hat"})
    assert changed(events) == []


async def test_who_opens_a_session_without_a_request_is_not_doubted(make: Make) -> None:
    phone = await Device(make(Action.END)).signed_in(cart="hat")
    assert (await phone.sessions.open(phone.jar[Holder.SIGNED_IN])).subject == "alice"
    by_hand = await Device(phone.sessions, Client()).signed_in()
    assert (await by_hand.at(THIEF).see())[0] == "alice"


def test_who_is_to_be_told_must_be_a_plain_function(store: Store) -> None:
    async def notify(_: Event) -> None: ...

    with pytest.raises(ConfigurationError) as refusal:
        Sessions(store, notify=notify)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert refusal.value.setting == "notify"
