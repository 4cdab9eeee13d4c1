"""A ticket opens its session once, soon, for its origin; nothing else makes one (R-110)."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from coatcheck import (
    Binding,
    BlockingSessions,
    Event,
    Happened,
    Policy,
    Session,
    Sessions,
    Store,
    store_from_url,
)
from coatcheck.core.record import Client
from coatcheck.core.standing import Standing
from coatcheck.core.ticket import KEY, MOST, Ticket
from coatcheck.errors import StoreUnavailable, Unauthenticated
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock
from tests.kinds import ON_EVERY
from tests.web.spy import Spy

APP = "https://app.example"


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def sessions(store: Store, clock: Clock, events: list[Event]) -> Sessions:
    return Sessions(store, clock=clock, on_event=events.append)


@pytest.fixture
async def elsewhere(store_url: str, store: Store, clock: Clock) -> AsyncGenerator[Sessions]:
    """Another server."""
    other = store if store_url == "memory:" else store_from_url(store_url)
    yield Sessions(other, clock=clock)
    await other.close()


@pytest.fixture
async def session(sessions: Sessions) -> Session:
    return await signed_in(sessions)


async def signed_in(sessions: Sessions, **data: object) -> Session:
    session = await sessions.open(None)
    session.sign_in("alice")
    session.update(data)
    await sessions.commit(session)
    return session


async def opens(sessions: Sessions, ticket: str, origin: str | None = APP) -> bool:
    session = await sessions.redeem(ticket, origin)
    state = session.state
    assert (state.base is None) is (state.standing is Standing.RETIRED)
    if state.base is not None:
        assert session.subject == "alice"
        assert state.token is None
    return state.base is not None


async def test_it_opens_the_session_once(sessions: Sessions, events: list[Event]) -> None:
    session = await signed_in(sessions, cart="hat")
    ticket = await sessions.issue_ticket(session, origin=APP)
    opened = await sessions.redeem(ticket, APP)
    assert (opened.subject, opened["cart"], opened.id) == ("alice", "hat", session.id)
    assert not await opens(sessions, ticket)
    refused = events[-1]
    assert (refused.kind, refused.id, refused.cause) == (Happened.REFUSED, session.id, "ticket")


async def test_it_opens_no_session_that_could_make_tokens_for_forms(
    sessions: Sessions, session: Session
) -> None:
    """Fails when it makes one that fits nothing, as of the lineage only the digest is known."""
    token = session.csrf_token()
    opened = await sessions.redeem(await sessions.issue_ticket(session, origin=APP), APP)
    with pytest.raises(RuntimeError, match="ask for it in the request that issues the ticket"):
        opened.csrf_token()
    assert not opened.state.is_wanted
    same = await sessions.open(session.state.held)
    same.require_csrf_token(token)
    opened.privilege_changed()
    token = opened.csrf_token()  # of the token that the change makes
    same = await sessions.open((await sessions.commit(opened)).token)
    same.require_csrf_token(token)


async def test_a_session_without_data_outlives_its_tickets(
    sessions: Sessions, session: Session
) -> None:
    """Fails when the last ticket takes its key along: emptying a session ends it."""
    assert await opens(sessions, await sessions.issue_ticket(session, origin=APP))
    assert await sessions.count("alice") == 1
    assert await opens(sessions, await sessions.issue_ticket(session, origin=APP))


@ON_EVERY
async def test_fifty_that_bring_it_at_once_are_one(
    sessions: Sessions, elsewhere: Sessions, session: Session
) -> None:
    ticket = await sessions.issue_ticket(session, origin=APP)
    servers = [sessions, elsewhere] * 25
    assert sum(await asyncio.gather(*(opens(server, ticket) for server in servers))) == 1


@pytest.mark.parametrize(
    ("asked", "came"),
    [
        (APP, "https://app.example.evil.example"),
        (APP, "http://app.example"),
        (APP, "https://app.example:8443"),
        (APP, "null"),
        (APP, ""),
        (APP, None),
        (APP, f"{APP}, {APP}"),
        (None, APP),
    ],
)
async def test_it_is_bound_to_its_origin(
    sessions: Sessions, session: Session, asked: str | None, came: str | None
) -> None:
    ticket = await sessions.issue_ticket(session, origin=asked)
    assert not await opens(sessions, ticket, came)
    assert await opens(sessions, ticket, asked)


async def test_it_is_good_for_thirty_seconds(
    sessions: Sessions, session: Session, clock: Clock
) -> None:
    early, late = [await sessions.issue_ticket(session, origin=APP) for _ in range(2)]
    clock.move(seconds=29.999)
    assert await opens(sessions, early)
    clock.move(milliseconds=1)
    assert not await opens(sessions, late)


async def test_it_is_of_its_session(sessions: Sessions, session: Session) -> None:
    other = await signed_in(sessions)
    ticket = Ticket.parse(await sessions.issue_ticket(session, origin=APP))
    assert ticket is not None
    assert other.id is not None
    assert not await opens(sessions, Ticket(other.id, ticket.secret).reveal())
    other[KEY] = dict(session[KEY])  # a page that could write here, and read there
    await sessions.commit(other)
    assert not await opens(sessions, Ticket(other.id, ticket.secret).reveal())


@pytest.mark.parametrize("how", ["rotate", "step_up", "sign_in", "end", "end_all", "expiry"])
async def test_every_privilege_change_and_every_end_makes_it_worthless(
    sessions: Sessions, session: Session, clock: Clock, how: str
) -> None:
    clock.move(minutes=29, seconds=59)
    ticket = await sessions.issue_ticket(session, origin=APP)
    if how == "expiry":
        session = await signed_in(sessions)
        clock.move(minutes=29, seconds=59)
        session.state.is_activity = False
        ticket = await sessions.issue_ticket(session, origin=APP)
        clock.move(seconds=1)
    elif how == "end_all":
        await sessions.end_all("alice")
    else:
        changes = {
            "rotate": session.privilege_changed,
            "step_up": lambda: session.step_up(2),
            "sign_in": lambda: session.sign_in("alice"),
            "end": session.end,
        }
        changes[how]()
        await sessions.commit(session)
    assert not await opens(sessions, ticket)


async def test_it_is_of_who_signs_in_with_the_same_request(sessions: Sessions) -> None:
    session = await sessions.open(None)
    session.sign_in("alice")
    ticket = await sessions.issue_ticket(session, origin=APP)
    session.step_up(2)
    ticket = await sessions.issue_ticket(session, origin=APP)
    assert session.state.cookies, "the client is told of its token all the same"
    opened = await sessions.redeem(ticket, APP)
    assert (opened.subject, opened.assurance) == ("alice", 2)


async def test_tickets_do_not_move_to_another_user(sessions: Sessions, session: Session) -> None:
    await sessions.issue_ticket(session, origin=APP)
    session.sign_in("bob")
    await sessions.commit(session)
    assert KEY not in session


async def test_their_number_is_bounded_and_the_oldest_goes(
    sessions: Sessions, session: Session, clock: Clock
) -> None:
    tickets: list[str] = []
    for _ in range(MOST + 1):
        tickets.append(await sessions.issue_ticket(session, origin=APP))
        clock.move(milliseconds=1)
    assert len(session[KEY]) == MOST
    assert not await opens(sessions, tickets[0])
    assert await opens(sessions, tickets[1])
    clock.move(seconds=30)
    await sessions.issue_ticket(session, origin=APP)
    assert len(session[KEY]) == 1


async def test_what_others_save_meanwhile_revives_no_ticket(
    sessions: Sessions, elsewhere: Sessions, session: Session
) -> None:
    session["cart"] = "cap"
    outcome = await sessions.rotate(session)
    ticket = await sessions.issue_ticket(session, origin=APP)
    slow = await elsewhere.open(outcome.token)
    assert await opens(sessions, ticket)
    slow["cart"] = "hat"
    await elsewhere.commit(slow)
    assert not await opens(sessions, ticket)


async def test_only_who_is_signed_in_gets_one(sessions: Sessions, session: Session) -> None:
    visitor = await sessions.open(None)
    visitor["cart"] = "hat"
    with pytest.raises(Unauthenticated):
        await sessions.issue_ticket(visitor, origin=APP)
    await sessions.end_all("alice")
    with pytest.raises(Unauthenticated):
        await sessions.issue_ticket(session, origin=APP)


WRONG = ["app.example", f"{APP}/", f"{APP}/chat", "HTTPS://app.example", "https://a:b@app.example"]


@pytest.mark.parametrize("wrong", [*WRONG, "null", "", "https://[", "*"])
async def test_what_no_browser_sends_is_refused_when_it_is_issued(
    sessions: Sessions, session: Session, wrong: str
) -> None:
    with pytest.raises(ValueError, match="origin"):
        await sessions.issue_ticket(session, origin=wrong)


@pytest.mark.parametrize("text", ["", ".", "x", "a.b", "A" * 22 + "." + "A" * 43, "\0" * 66, "é"])
async def test_garbage_opens_nothing(sessions: Sessions, text: str) -> None:
    assert not await opens(sessions, text)


async def test_the_store_holds_nothing_that_opens(sessions: Sessions, session: Session) -> None:
    ticket = Ticket.parse(await sessions.issue_ticket(session, origin=APP))
    assert ticket is not None
    assert ticket.secret not in repr((dict(session), session, ticket))
    assert session.state.base is not None
    assert ticket.secret.encode() not in session.state.base.payload


async def test_an_outage_lets_nobody_in(clock: Clock) -> None:
    spy = Spy(MemoryStore())
    sessions = Sessions(spy.store, clock=clock)
    session = await signed_in(sessions)
    ticket = await sessions.issue_ticket(session, origin=APP)
    for call in ("load", "save"):
        spy.down = {call}
        refused = await sessions.redeem(ticket, APP)
        assert isinstance(refused.state.failure, StoreUnavailable)
        assert refused.state.base is None
    spy.mends()
    assert await opens(sessions, ticket)


async def test_redeeming_is_no_activity(sessions: Sessions, session: Session, clock: Clock) -> None:
    """The handshake may be, as any request; a passive one is not."""
    clock.move(minutes=10)
    session.state.is_activity = False
    ticket = await sessions.issue_ticket(session, origin=APP)
    opened = await sessions.redeem(ticket, APP, is_activity=False)
    await sessions.commit(opened)
    (info,) = await sessions.list("alice")
    assert info.seen_at == info.created_at


async def test_a_session_that_cannot_be_read_is_told_of_and_left_alone(
    sessions: Sessions, store: Store, session: Session, events: list[Event]
) -> None:
    """As with the token itself: it is no ticket that somebody made up."""
    ticket = await sessions.issue_ticket(session, origin=APP)
    good = session.state.base
    assert good is not None
    bad = good._replace(version=good.version + 1, payload=good.payload + b"!")
    await store.save(bad, good)
    events.clear()
    for _ in range(2):
        opened = await sessions.redeem(ticket, APP)
        assert (opened.subject, opened.standing) == (None, Standing.UNREADABLE)
    assert [event.kind for event in events] == [Happened.UNREADABLE]
    assert bad.is_same_save(await store.load(bad.id))


async def test_another_client_cannot_use_it(store: Store, clock: Clock) -> None:
    policy = Policy(binding=Binding(step_up=4))
    sessions = Sessions(store, policy=policy, clock=clock)
    client = Client("192.0.2.1", "Firefox on Linux")
    session = await sessions.open(None, client=client)
    session.sign_in("alice")
    await sessions.commit(session)
    ticket = await sessions.issue_ticket(session, origin=APP)
    thief = await sessions.redeem(ticket, APP, client=Client("203.0.113.9", "curl"))
    assert thief.subject is None
    assert (await sessions.redeem(ticket, APP, client=client)).subject == "alice"


async def test_another_client_with_it_ends_the_session_where_the_policy_says_so(
    store: Store, clock: Clock, events: list[Event]
) -> None:
    """As with the token itself; who has no good ticket ends nothing (R8)."""
    policy = Policy(binding=Binding(end=4))
    sessions = Sessions(store, policy=policy, clock=clock, on_event=events.append)
    client, thief = Client("192.0.2.1", "Firefox on Linux"), Client("203.0.113.9", "curl")
    session = await sessions.open(None, client=client)
    session.sign_in("alice")
    await sessions.commit(session)
    ticket = await sessions.issue_ticket(session, origin=APP)
    assert session.id is not None
    for useless in (Ticket.mint(bytes, session.id).reveal(), ticket):
        assert (await sessions.redeem(useless, None, client=thief)).subject is None
    assert await sessions.count("alice") == 1
    assert (await sessions.redeem(ticket, APP, client=thief)).subject is None
    assert await sessions.count("alice") == 0
    assert [e.cause for e in events if e.kind is Happened.ENDED] == ["binding"]


async def test_another_client_with_a_ticket_of_an_impersonation_ends_it(
    store: Store, clock: Clock
) -> None:
    """Nobody could prove anything there: the user is another."""
    sessions = Sessions(store, policy=Policy(binding=Binding(step_up=4)), clock=clock)
    client = Client("192.0.2.1", "Firefox on Linux")
    session = await sessions.open(None, client=client)
    session.sign_in("admin")
    await sessions.commit(session)
    session.impersonate("alice")
    await sessions.commit(session)
    ticket = await sessions.issue_ticket(session, origin=APP)
    thief = await sessions.redeem(ticket, APP, client=Client("203.0.113.9", "curl"))
    assert thief.subject is None
    assert await sessions.count("alice") == 0


def test_threads_issue_them_too(clock: Clock) -> None:
    sessions = BlockingSessions(MemoryStore(), clock=clock)
    session = sessions.open(None)
    session.sign_in("alice")
    assert Ticket.parse(sessions.issue_ticket(session, origin=None)) is not None
