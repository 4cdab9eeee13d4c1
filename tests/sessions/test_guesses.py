"""Who presents many tokens that open nothing is noticed, and by policy refused."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from coatcheck import (
    BlockingSessions,
    Client,
    Event,
    Happened,
    Holder,
    MemoryStore,
    Policy,
    Rate,
    Session,
    Sessions,
    Standing,
    Token,
)
from coatcheck.clock import GivenClock
from coatcheck.codec import MessagePackCodec
from coatcheck.core.envelope import Checked
from coatcheck.core.presented import Presented
from coatcheck.core.rates import ROOM
from coatcheck.core.settings import Settings
from coatcheck.core.ticket import Ticket
from coatcheck.core.unseen import look
from coatcheck.errors import TooManyBadTokens
from coatcheck.guesses import Guesses
from coatcheck.parts import Parts
from coatcheck.testing import Clock
from tests.web.spy import Spy

GUESSER, OTHER = Client("192.0.2.1", "curl"), Client("192.0.2.2", "Firefox")
REFUSING = Policy(guess_rate=Rate(5), on_guessing="refuse")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def make(clock: Clock, events: list[Event]) -> Callable[[Policy], Sessions]:
    def make(policy: Policy) -> Sessions:
        return Sessions(MemoryStore(), clock=clock, policy=policy, on_event=events.append)

    return make


async def present(
    sessions: Sessions,
    token: Token | None = None,
    client: Client = GUESSER,
    standing: Standing | None = None,
) -> Session:
    """Let a request arrive with a token, one that nobody issued, or what stood in its place."""
    if standing is not None:
        return await sessions.admit([Presented(None, standing=standing)], client=client)
    return await sessions.admit([Presented(token or Token.mint(os.urandom))], client=client)


def told(events: list[Event]) -> list[object]:
    return [event.facts for event in events if event.kind is Happened.GUESSING]


async def test_200_in_a_minute_are_told_once(
    make: Callable[[Policy], Sessions], events: list[Event], clock: Clock
) -> None:
    """R-081, by default. Fails when nobody counts, or each of them is told."""
    sessions = make(Policy())
    for _ in range(199):
        await present(sessions)
    assert told(events) == []
    for _ in range(300):
        look(await present(sessions))
    assert told(events) == [{"network": "192.0.2.1", "count": 200}]
    clock.move(minutes=1)
    for _ in range(250):
        await present(sessions)
    assert len(told(events)) == 2


async def test_the_policy_can_refuse_them(make: Callable[[Policy], Sessions], clock: Clock) -> None:
    sessions = make(REFUSING)
    for _ in range(5):
        look(await present(sessions))
    refused = await present(sessions)
    with pytest.raises(TooManyBadTokens) as error:
        look(refused)
    await sessions.commit(refused)
    assert 1 <= error.value.retry_after <= 60
    clock.move(seconds=error.value.retry_after)
    look(await present(sessions))


async def test_good_tokens_and_others_are_not_affected(
    make: Callable[[Policy], Sessions],
) -> None:
    """Fails when the client is refused, rather than its tokens that open nothing."""
    sessions = make(REFUSING)
    good = await sessions.open(None, client=GUESSER)
    good.sign_in("alice")
    token = (await sessions.commit(good)).token
    for _ in range(10):
        await present(sessions)
    assert look(await present(sessions, token)).subject == "alice"
    look(await present(sessions, client=OTHER))
    look(await sessions.admit([], client=GUESSER))


async def cart_beside(sessions: Sessions) -> Callable[[Token], Awaitable[Session]]:
    """Return what presents a token beside that of a visitor's session."""
    visitor = await sessions.admit([], client=GUESSER)
    look(visitor)["cart"] = 1
    cart = Presented((await sessions.commit(visitor)).token, Holder.VISITOR)

    async def present(token: Token) -> Session:
        return await sessions.admit([Presented(token), cart], client=GUESSER)

    return present


async def test_a_visitors_session_beside_it_hides_no_guess(
    make: Callable[[Policy], Sessions],
) -> None:
    """Fails when a guesser who brings a cart along is let in, or who has one cookie is not."""
    sessions = make(REFUSING)
    present = await cart_beside(sessions)
    dead = Token.mint(os.urandom)
    for _ in range(10):
        assert look(await present(dead)) == {"cart": 1}
    for _ in range(4):
        assert look(await present(Token.mint(os.urandom))) == {"cart": 1}
    refused = await present(Token.mint(os.urandom))
    with pytest.raises(TooManyBadTokens):
        look(refused)
    assert refused.state.cookies == {Holder.SIGNED_IN: None}


async def test_a_guesser_makes_nobody_elses_cookie_a_guess_again(
    make: Callable[[Policy], Sessions],
) -> None:
    """Fails when each guess leaves a mark, so that those of others are forgotten."""
    sessions, dead = make(REFUSING), Token.mint(os.urandom)
    guesses = sessions._door._guesses  # pyright: ignore[reportPrivateUsage]
    refusals: list[object] = []
    for _ in range(7):
        refusals.append((await present(sessions, dead, OTHER)).state.refusal)
        for _ in range(ROOM + 1):
            guesses.count(GUESSER, Token.mint(os.urandom))
    assert refusals == [None] * 7


@pytest.mark.parametrize("kind", ["unknown", "malformed", "ambiguous", "expired", "revoked"])
async def test_every_kind_is_counted_and_refused_alike(
    make: Callable[[Policy], Sessions], events: list[Event], clock: Clock, kind: str
) -> None:
    sessions = make(REFUSING)
    issued: list[Token | None] = []
    for _ in range(6):
        session = await sessions.open(None, client=OTHER)
        session.sign_in("alice")
        issued.append((await sessions.commit(session)).token)
    if kind == "expired":
        clock.move(minutes=31)
    elif kind == "revoked":
        await sessions.end_all("alice")

    async def once() -> Session:
        if kind in ("malformed", "ambiguous"):
            return await present(sessions, standing=Standing(kind))
        return await present(sessions, None if kind == "unknown" else issued.pop())

    for _ in range(5):
        look(await once())
    assert len(told(events)) == 1
    with pytest.raises(TooManyBadTokens):
        look(await once())


async def test_tickets_are_counted_and_refused_alike(
    make: Callable[[Policy], Sessions], events: list[Event]
) -> None:
    """Fails when who makes tickets up is told, and goes on."""
    sessions = make(REFUSING)
    good = await sessions.open(None, client=GUESSER)
    good.sign_in("alice")
    ticket = await sessions.issue_ticket(good, origin=None)

    async def redeem(text: str) -> Session:
        return look(await sessions.redeem(text, None, client=GUESSER))

    for _ in range(4):
        assert (await redeem(Ticket.mint(os.urandom, Token.mint(os.urandom).id).reveal())) == {}
    assert (await redeem("none")) == {}
    assert len(told(events)) == 1
    with pytest.raises(TooManyBadTokens):
        await redeem("none")
    assert (await redeem(ticket)).subject == "alice"


async def test_one_dead_token_is_one_guess_however_often_it_comes(
    make: Callable[[Policy], Sessions], events: list[Event], clock: Clock
) -> None:
    """Fails when a page with many pictures makes an honest browser a guesser."""
    sessions = make(REFUSING)
    session = await sessions.open(None, client=OTHER)
    session.sign_in("alice")
    token = (await sessions.commit(session)).token
    clock.move(minutes=31)
    for _ in range(4):
        await present(sessions)
    refusals = [(await present(sessions, token)).state.refusal for _ in range(30)]
    assert refusals == [None] * 30
    assert len(told(events)) == 1, "by the first of them, and not again by the next"
    with pytest.raises(TooManyBadTokens):
        look(await present(sessions))


async def test_a_token_that_is_known_is_refused_like_any_other(
    make: Callable[[Policy], Sessions], clock: Clock
) -> None:
    """Fails when a guesser goes on with what was counted already."""
    sessions = make(REFUSING)
    known = [Token.mint(os.urandom) for _ in range(5)]
    for token in known:
        look(await present(sessions, token))
    assert (await present(sessions)).state.refusal is not None
    for token in known:
        with pytest.raises(TooManyBadTokens):
            look(await present(sessions, token))
    clock.move(minutes=1)
    for token in known:
        look(await present(sessions, token))
    with pytest.raises(TooManyBadTokens):  # in the next window they count anew
        look(await present(sessions))


@pytest.mark.parametrize("part", ["id", "lineage", "secret"])
async def test_guesses_at_one_session_are_as_many_as_there_are(
    make: Callable[[Policy], Sessions], part: str
) -> None:
    """Fails when what makes a token known is less than all of it."""
    sessions = make(REFUSING)
    session = await sessions.open(None, client=OTHER)
    session.sign_in("alice")
    token = (await sessions.commit(session)).token
    assert token is not None
    for n in range(6):
        guess = replace(token, **{part: getattr(Token.mint(os.urandom), part)})
        assert ((await present(sessions, guess)).state.refusal is not None) is (n == 5)


async def test_a_token_that_another_client_presented_is_a_guess_of_this_one(
    make: Callable[[Policy], Sessions],
) -> None:
    sessions = make(REFUSING)
    known = [Token.mint(os.urandom) for _ in range(6)]
    for client in (OTHER, GUESSER):
        refusals = [(await present(sessions, token, client)).state.refusal for token in known]
        assert [refusal is not None for refusal in refusals] == [False] * 5 + [True]


def test_what_is_known_of_tokens_takes_no_more_memory_than_there_is_room() -> None:
    """Fails when nothing is forgotten; what is counts once more."""
    settings = Settings(MessagePackCodec(), Policy(), Checked(), {})
    guesses = Guesses(Parts(MemoryStore(), settings, GivenClock(int), lambda _: None))
    for n in range(ROOM + 10):
        guesses.count(Client(f"192.0.2.{n % 256}"), Token.mint(os.urandom))
    assert len(guesses._known) <= ROOM  # pyright: ignore[reportPrivateUsage]


async def test_nothing_is_counted_where_nothing_is_to_be(
    make: Callable[[Policy], Sessions], events: list[Event]
) -> None:
    sessions = make(Policy(guess_rate=None, on_guessing="refuse"))
    for _ in range(300):
        look(await present(sessions))
    assert told(events) == []


async def test_a_network_of_ipv6_guesses_as_one(
    make: Callable[[Policy], Sessions], events: list[Event]
) -> None:
    sessions = make(REFUSING)
    for n in range(5):
        await present(sessions, client=Client(f"2001:db8::{n}"))
    assert told(events) == [{"network": "2001:db8::/64", "count": 5}]


async def test_counting_costs_the_store_nothing(clock: Clock) -> None:
    spy = Spy(MemoryStore())
    sessions = Sessions(spy.store, clock=clock, policy=REFUSING)
    for _ in range(50):
        await present(sessions)
    assert set(spy.calls) == {"load"}


def test_threads_count_as_well(clock: Clock) -> None:
    sessions = BlockingSessions(MemoryStore(), clock=clock, policy=REFUSING)
    for _ in range(5):
        look(sessions.admit([Presented(Token.mint(os.urandom))], client=GUESSER))
    refused = sessions.admit([Presented(Token.mint(os.urandom))], client=GUESSER)
    with pytest.raises(TooManyBadTokens):
        look(refused)
