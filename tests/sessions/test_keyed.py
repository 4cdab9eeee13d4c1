"""Tokens made with a key: what was never issued is turned away before the store."""

import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from coatcheck import (
    BlockingSessions,
    Event,
    Happened,
    Holder,
    KeyedTokens,
    Keyring,
    MemoryStore,
    Sessions,
    Standing,
    Store,
    Token,
)
from coatcheck.core.presented import Presented
from coatcheck.core.ticket import Ticket
from coatcheck.core.token import LENGTH
from coatcheck.core.unseen import look
from coatcheck.errors import ConfigurationError
from coatcheck.testing import Clock
from tests.sessions.browser import Browser
from tests.web.spy import Spy

OLD, NEW = Keyring.new_key(), Keyring.new_key()
FORGED = 100_000


def keyed(*keys: str, plain_until: datetime | None = None) -> KeyedTokens:
    return KeyedTokens(Keyring(*(keys or (NEW,))), accept_plain_until=plain_until)


@pytest.fixture
def spy(store: Store) -> Spy:
    return Spy(store)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def sessions(spy: Spy, clock: Clock, events: list[Event]) -> Sessions:
    return Sessions(spy.store, clock=clock, tokens=keyed(), on_event=events.append)


async def test_it_is_spelled_as_any_token(clock: Clock) -> None:
    tokens = keyed()
    for _ in range(1_000):
        token = tokens.mint(os.urandom)
        assert len(token.reveal()) == LENGTH
        assert Token.parse(token.reveal()) == token
        assert tokens.issued(token, clock())


async def test_forged_tokens_reach_no_store(sessions: Sessions, spy: Spy) -> None:
    """100,000 of them. Fails when the check is left out, or made after the store was asked."""
    await Browser(sessions).put(x=1)
    chance = random.Random(5)
    stored = await sessions.count()
    spy.calls.clear()
    for _ in range(FORGED):
        session = await sessions.open(Token.mint(chance.randbytes))
        assert session.standing is Standing.ABSENT
    assert spy.calls == []
    assert await sessions.count() == stored


async def test_without_a_key_forged_tokens_create_nothing(clock: Clock) -> None:
    """R-080."""
    store = MemoryStore()
    sessions = Sessions(store, clock=clock, on_event=lambda _: None)
    for _ in range(FORGED):
        session = await sessions.admit([Presented(Token.mint(random.randbytes))])
        await sessions.commit(session)
    assert await store.count(None) == 0


async def test_ids_are_distinct_and_no_part_of_them_is_the_same(clock: Clock) -> None:
    """R-001. Fails when less than 9 bytes are random."""
    tokens, keys = keyed(), keyed(OLD)
    ids = [tokens.mint(os.urandom).id for _ in range(10_000)]
    assert len({id[:12] for id in ids}) == len({id[12:] for id in ids}) == 10_000
    other = [keys.mint(bytes).id, tokens.mint(bytes).id]
    assert other[0][:12] == other[1][:12]
    assert other[0][12:] != other[1][12:]


async def test_forged_tickets_reach_no_store(
    sessions: Sessions, spy: Spy, events: list[Event]
) -> None:
    """Fails when a ticket is looked for whose id the application never made."""
    session = await sessions.open(None)
    session.sign_in("alice")
    ticket = await sessions.issue_ticket(session, origin=None)
    spy.calls.clear()
    for _ in range(1_000):
        forged = Ticket.mint(os.urandom, Token.mint(os.urandom).id)
        assert (await sessions.redeem(forged.reveal(), None)).standing is Standing.RETIRED
        assert (events[-1].kind, events[-1].cause) == (Happened.REFUSED, "ticket")
    assert spy.calls == []
    assert (await sessions.redeem(ticket, None)).subject == "alice"


async def test_a_changed_id_reaches_no_store(sessions: Sessions, spy: Spy) -> None:
    """Fails when a part of the id is not looked at."""
    browser = Browser(sessions)
    await browser.sign_in("alice")
    token = browser.jar[Holder.SIGNED_IN]
    spy.calls.clear()
    for place in range(21):
        other = "B" if token.id[place] == "A" else "A"
        id = token.id[:place] + other + token.id[place + 1 :]
        changed = Token(id, token.lineage, token.secret)
        assert (await sessions.open(changed)).standing is Standing.ABSENT
    assert spy.calls == []


async def test_all_that_is_issued_passes(sessions: Sessions, clock: Clock) -> None:
    """Fails when any of the ways to a new token goes without the check."""
    browser = Browser(sessions)
    await browser.put(cart=1)
    assert await browser.see() == (None, {"cart": 1})
    await browser.sign_in("alice")
    assert await browser.see() == ("alice", {"cart": 1})
    session = await browser.send()
    session.step_up(2)
    await browser.finish(session)
    assert await browser.see() == ("alice", {"cart": 1})
    session = await browser.send()
    session.privilege_changed()
    await browser.finish(session)
    before = browser.jar[Holder.SIGNED_IN]
    clock.move(minutes=16)
    await browser.finish(look(await browser.send()))
    assert browser.jar[Holder.SIGNED_IN] != before
    assert await browser.see() == ("alice", {"cart": 1})


async def test_a_form_of_the_page_that_begins_a_session_fits_it(sessions: Sessions) -> None:
    """Fails when the lineage that the form's token follows from is not the session's."""
    browser = Browser(sessions)
    session = look(await browser.send())
    form = session.csrf_token()
    session["cart"] = 1
    await browser.finish(session)
    look(await browser.send()).require_csrf_token(form)


async def test_it_is_turned_on_without_signing_anybody_out(spy: Spy, clock: Clock) -> None:
    """And by one server after the other. Fails when plain tokens are refused at once, or never."""
    without = Sessions(spy.store, clock=clock)
    until = datetime.fromtimestamp(clock() / 1000, UTC) + timedelta(minutes=20)
    turned_on = Sessions(spy.store, clock=clock, tokens=keyed(plain_until=until))
    old, new = Browser(without), Browser(turned_on)
    await old.sign_in("alice")
    await new.sign_in("bob")
    for server in (without, turned_on):
        old.sessions = new.sessions = server
        assert (await old.see())[0] == "alice"
        assert (await new.see())[0] == "bob"
    clock.move(minutes=20)
    assert (await new.see())[0] == "bob"
    assert (await old.see())[0] is None


async def test_keys_are_changed_without_signing_anybody_out(spy: Spy, clock: Clock) -> None:
    """Fails when only the newest key knows its tokens."""
    first = Sessions(spy.store, clock=clock, tokens=keyed(OLD))
    both = Sessions(spy.store, clock=clock, tokens=keyed(NEW, OLD))
    last = Sessions(spy.store, clock=clock, tokens=keyed(NEW))
    old, new = Browser(first), Browser(both)
    await old.sign_in("alice")
    await new.sign_in("bob")
    old.sessions = both
    assert (await old.see())[0] == "alice"
    old.sessions = new.sessions = last
    assert (await old.see())[0] is None
    assert (await new.see())[0] == "bob"


async def test_a_forged_token_is_told_of_as_any_other(
    sessions: Sessions, events: list[Event]
) -> None:
    session = await sessions.admit([Presented(Token.mint(os.urandom))])
    assert [(e.kind, e.cause) for e in events] == [(Happened.REFUSED, "absent")]
    assert session.state.cookies == {Holder.SIGNED_IN: None}


def test_threads_check_as_well(clock: Clock) -> None:
    spy = Spy(MemoryStore())
    sessions = BlockingSessions(spy.store, clock=clock, tokens=keyed())
    assert sessions.open(Token.mint(os.urandom)).standing is Standing.ABSENT
    assert spy.calls == []
    session = sessions.open(None)
    session["x"] = 1
    token = sessions.commit(session).token
    assert dict(sessions.open(token)) == {"x": 1}


def test_nothing_but_keyed_tokens_will_do() -> None:
    with pytest.raises(ConfigurationError, match="tokens: a Keyring is no"):
        Sessions(MemoryStore(), tokens=Keyring(NEW))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="keyring: a str is no"):
        KeyedTokens(NEW)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="accept_plain_until"):
        keyed(plain_until=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is wrong


def test_the_check_shows_no_key() -> None:
    assert repr(keyed(NEW, OLD)) == "<KeyedTokens, 2 keys>"
