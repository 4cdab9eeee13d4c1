"""The connection to Redis breaks between a write and its answer (S4).

Nobody can tell a lost command from a lost answer, except by looking. Each loss is made once for
both, `applied` or not, and the client's answer must fit what happened.
"""

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from coatcheck import Happened, store_from_url
from coatcheck.errors import StoreUnavailable
from coatcheck.testing import Clock
from tests.chaos.shop import Answer, Shop
from tests.chaos.wire import Loss, Wire
from tests.servers import Server

EITHER = pytest.mark.parametrize("applied", [True, False])


@dataclass
class Setup:
    """The shop behind a connection that breaks, and the same shop on a good one."""

    clock: Clock
    between: Wire
    shop: Shop
    good: Shop

    async def send(self, path: str, cookie: str | None, *losses: Loss) -> Answer:
        self.between.losses += losses
        return await self.shop.send(path, cookie)

    def other(
        self, path: str, cookie: str, answers: list[Answer] | None = None
    ) -> Callable[[], Awaitable[None]]:
        """Return what sends a request of somebody else, over the good connection."""

        async def send() -> None:
            answer = await self.good.send(path, cookie)
            assert answer.status == 200
            if answers is not None:
                answers.append(answer)

        return send

    async def subject(self, cookie: str) -> object:
        return (await self.good.send("/read", cookie)).body["subject"]

    async def count(self, cookie: str) -> int:
        """Return what the counter of a session stands at."""
        return int((await self.good.send("/read", cookie)).body["data"].get("count", 0))

    async def cart(self, cookie: str) -> list[str]:
        return list((await self.good.send("/read", cookie)).body["data"].get("cart", {}))


def is_unavailable(answer: Answer) -> bool:
    return answer.status == 503 and "retry-after" in answer.headers and not answer.cookies


@pytest.fixture
async def setup(redis: Server, clock: Clock) -> AsyncGenerator[Setup]:
    query = f"0?prefix={uuid.uuid4().hex}"
    async with Wire(redis.port) as between:
        shop, good = (
            Shop(store_from_url(f"redis://127.0.0.1:{port}/{query}"), clock=clock)
            for port in (between.port, redis.port)
        )
        await load_scripts(good, clock)
        yield Setup(clock, between, shop, good)
        for each in (shop, good):
            await each.close()


async def load_scripts(shop: Shop, clock: Clock) -> None:
    """Use each script once: the first use of one takes two commands."""
    cookie = (await shop.send("/login/somebody")).cookie
    clock.move(minutes=5)
    await shop.send("/read", cookie)
    await shop.send("/add/apple", cookie)
    await shop.sessions.end_all("somebody")
    clock.move(milliseconds=1)
    assert await shop.sessions.count() == 0


@EITHER
async def test_an_edit_is_counted_once(setup: Setup, applied: bool) -> None:
    """Fails when a save without an answer is made anew on fresh data, or taken for granted."""
    cookie = (await setup.good.send("/count")).cookie
    answer = await setup.send("/count", cookie, Loss("save", applied))
    assert answer.status == 200
    assert await setup.count(cookie) == 2


async def test_a_lost_edit_is_laid_over_another_that_came_in_between(setup: Setup) -> None:
    """Fails when every doubt is answered 503: here the number tells that it was not applied."""
    cookie = (await setup.good.send("/count")).cookie
    other = setup.other("/count", cookie)
    answer = await setup.send("/count", cookie, Loss("save", False, other))
    assert answer.status == 200
    assert await setup.count(cookie) == 3


async def test_an_edit_that_another_has_covered_is_not_made_again(setup: Setup) -> None:
    """It was applied, but what is stored does not show that: 503, and counted once all the same.

    Fails when any other stamp is taken for a proof that the save was not applied.
    """
    cookie = (await setup.good.send("/count")).cookie
    other = setup.other("/count", cookie)
    answer = await setup.send("/count", cookie, Loss("save", True, other))
    assert is_unavailable(answer)
    assert await setup.count(cookie) == 3


@EITHER
async def test_an_edit_before_a_logout_went_with_the_session(setup: Setup, applied: bool) -> None:
    """Fails when a tombstone is taken for an answer that nobody can give."""
    cookie = (await setup.good.send("/login/alice")).cookie
    other = setup.other("/logout", cookie)
    answer = await setup.send("/count", cookie, Loss("save", applied, other))
    assert (answer.status, answer.cookies) == (200, [])
    assert await setup.good.sessions.count() == 0


@EITHER
async def test_an_edit_is_not_laid_over_a_privilege_change(setup: Setup, applied: bool) -> None:
    """Fails when lineages are not compared after a lost answer (S2)."""
    cookie = (await setup.good.send("/login/alice")).cookie
    new: list[Answer] = []
    other = setup.other("/step-up", cookie, new)
    answer = await setup.send("/count", cookie, Loss("save", applied, other))
    assert (answer.status, answer.cookies) == (503 if applied else 409, [])
    assert await setup.count(new[0].cookie) == applied


@EITHER
async def test_an_edit_that_moved_with_a_login_is_not_answered_as_saved(
    setup: Setup, applied: bool
) -> None:
    """Fails when a moved session proves anything about the save."""
    visitor = (await setup.good.send("/count")).cookie
    new: list[Answer] = []
    other = setup.other("/login/alice", visitor, new)
    answer = await setup.send("/count", visitor, Loss("save", applied, other))
    assert is_unavailable(answer)
    assert await setup.count(new[0].cookie) == 1 + applied


@EITHER
async def test_an_edit_without_any_answer_is_503_and_the_session_goes_on(
    setup: Setup, applied: bool
) -> None:
    """Fails when a doubt that stays is taken for success."""
    cookie = (await setup.good.send("/count")).cookie
    answer = await setup.send("/count", cookie, Loss("save", applied), Loss("load", applied))
    assert is_unavailable(answer)
    assert await setup.count(cookie) == 1 + applied


@EITHER
async def test_an_edit_that_was_lost_twice_is_503(setup: Setup, applied: bool) -> None:
    cookie = (await setup.good.send("/count")).cookie
    answer = await setup.send("/count", cookie, Loss("save", False), Loss("save", applied))
    assert is_unavailable(answer)
    assert await setup.count(cookie) == 1 + applied


@EITHER
async def test_a_new_session_is_made_once(setup: Setup, applied: bool) -> None:
    """Fails when a create without an answer is a 503 that leaves a session to nobody."""
    answer = await setup.send("/count", None, Loss("save", applied))
    assert answer.status == 200
    assert await setup.count(answer.cookie) == 1
    assert await setup.good.sessions.count() == 1


@EITHER
@pytest.mark.parametrize("change", ["/rotate", "/step-up"])
async def test_a_rotation_hands_out_a_cookie_that_lives(
    setup: Setup, change: str, applied: bool
) -> None:
    """Fails when the repeated rotation is refused as having lost against itself."""
    old = (await setup.good.send("/login/alice")).cookie
    answer = await setup.send(change, old, Loss("save", applied))
    assert answer.status == 200
    assert await setup.subject(answer.cookie) == "alice"
    assert await setup.subject(old) is None


@EITHER
async def test_a_logout_ends_the_session_and_deletes_the_cookie(
    setup: Setup, applied: bool
) -> None:
    """Fails when a repeated end that finds its own tombstone is taken for another's (C2)."""
    cookie = (await setup.good.send("/login/alice")).cookie
    answer = await setup.send("/logout", cookie, Loss("end", applied))
    assert answer.status == 200
    assert [line.partition(";")[0] for line in answer.cookies] == ["__Host-sid="]
    assert await setup.subject(cookie) is None
    assert await setup.good.sessions.count("alice") == 0


@EITHER
async def test_a_logout_without_any_answer_is_503_and_keeps_the_cookie(
    setup: Setup, applied: bool
) -> None:
    """Fails when a failed end is answered as success (R-020)."""
    cookie = (await setup.good.send("/login/alice")).cookie
    answer = await setup.send("/logout", cookie, Loss("end", applied), Loss("end", applied))
    assert is_unavailable(answer)
    assert await setup.subject(cookie) == (None if applied else "alice")


async def test_a_logout_that_another_made_in_between_deletes_nothing(setup: Setup) -> None:
    """Fails when any tombstone is taken for one's own (C2)."""
    cookie = (await setup.good.send("/login/alice")).cookie

    async def other() -> None:
        setup.clock.move(milliseconds=1)
        await setup.good.send("/logout", cookie)

    answer = await setup.send("/logout", cookie, Loss("end", False, other))
    assert (answer.status, answer.cookies) == (200, [])


@EITHER
@pytest.mark.parametrize("what", ["save", "enlist", "end", "delist"])
async def test_a_login_moves_the_cart_whichever_of_its_writes_is_lost(
    setup: Setup, what: str, applied: bool
) -> None:
    """Fails when one of the writes of a sign-in is not repeated, or not recognised as its own.

    `delist` has nothing to do for a visitor's session; a switch of users uses it.
    """
    start = "/login/bob" if what == "delist" else "/add/apple"
    old = (await setup.good.send(start)).cookie
    answer = await setup.send("/login/alice", old, Loss(what, applied))
    assert answer.status == 200
    assert await setup.subject(answer.cookie) == "alice"
    assert await setup.cart(answer.cookie) == ([] if what == "delist" else ["apple"])
    assert await setup.subject(old) is None
    assert await setup.good.sessions.count() == 1
    assert await setup.good.sessions.count("alice") == 1
    assert await setup.good.sessions.count("bob") == 0
    assert setup.shop.happened(Happened.ENDED) == 1


@EITHER
@pytest.mark.parametrize("what", ["save", "enlist", "end"])
async def test_a_login_without_an_answer_is_503_and_leaves_the_cart_somewhere(
    setup: Setup, what: str, applied: bool
) -> None:
    """The visitor keeps the cart unless the old session was already closed; then a copy has it.

    Fails when the old session is closed before the new one is there (P3).
    """
    visitor = (await setup.good.send("/add/apple")).cookie
    losses = [Loss(what, applied), Loss("load" if what == "save" else what, applied)]
    answer = await setup.send("/login/alice", visitor, *losses)
    assert is_unavailable(answer)
    closed = what == "end" and applied
    assert await setup.cart(visitor) == ([] if closed else ["apple"])
    assert await setup.good.sessions.count() >= 1


async def test_an_item_added_while_the_close_is_lost_is_in_the_new_session(setup: Setup) -> None:
    """Fails when the repeated close does not ask for the version that was copied (P3)."""
    visitor = (await setup.good.send("/add/apple")).cookie
    other = setup.other("/add/pear", visitor)
    answer = await setup.send("/login/alice", visitor, Loss("end", False, other))
    assert answer.status == 200
    assert await setup.cart(answer.cookie) == ["apple", "pear"]


@EITHER
@pytest.mark.parametrize("when", ["before the record", "before the entry"])
async def test_an_end_all_while_a_login_repeats_itself_is_exact(
    setup: Setup, when: str, applied: bool
) -> None:
    """Fails when a repeated entry is taken for the first (G2)."""
    what = "save" if when == "before the record" else "enlist"

    async def end_all() -> None:
        await setup.good.sessions.end_all("alice")

    setup.between.losses.append(Loss(what, applied, end_all))
    answer = await setup.shop.send("/login/alice")
    assert (answer.status, answer.cookies) == (401, [])
    assert await setup.good.sessions.count() == 0


@EITHER
async def test_activity_that_was_not_recorded_harms_no_request(setup: Setup, applied: bool) -> None:
    """Fails when a lost touch is answered 503."""
    cookie = (await setup.good.send("/login/alice")).cookie
    setup.clock.move(minutes=10)
    answer = await setup.send("/read", cookie, Loss("touch", applied))
    assert (answer.status, answer.cookies) == (200, [])


@EITHER
@pytest.mark.parametrize(("what", "times"), [("bar", 1), ("end", 1), ("end", 2), ("delist", 1)])
async def test_an_end_all_that_returns_has_ended_all(
    setup: Setup, what: str, times: int, applied: bool
) -> None:
    """It may raise; then it is to be called again (G3).

    Fails when an entry is removed before its record is ended, or a failed end is passed over.
    """
    cookies = [(await setup.good.send("/login/alice")).cookie for _ in range(2)]
    setup.between.losses += [Loss(what, applied)] * times
    try:
        await setup.shop.sessions.end_all("alice")
    except StoreUnavailable:
        await setup.shop.sessions.end_all("alice")
    for cookie in cookies:
        assert await setup.subject(cookie) is None
    assert await setup.good.sessions.count() == 0
