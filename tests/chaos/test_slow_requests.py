"""A request is held up in its handler while something final happens to its session (R-025, R-029).

Every test runs on each kind of store, served by tasks and by threads. Nothing here waits for time
to pass: the slow request is let go when the other one has its answer.
"""

import pytest

from coatcheck import Happened
from coatcheck.testing import Clock
from tests.chaos.shop import Answer, Shop
from tests.kinds import IN_BOTH_FORMS, ON_EVERY

pytestmark = [ON_EVERY, IN_BOTH_FORMS]
PRIVILEGE_CHANGES = ["/rotate", "/step-up", "/login/alice"]


async def signed_in(shop: Shop, user: str = "alice") -> str:
    return (await shop.send(f"/login/{user}")).cookie


async def with_cart(shop: Shop) -> str:
    return (await shop.send("/add/apple")).cookie


async def seen_by(shop: Shop, cookie: str) -> object:
    """Return what a request with this cookie finds."""
    return (await shop.send("/read", cookie)).body


def nothing() -> object:
    return {"subject": None, "data": {}}


def holds(subject: str | None, *items: str) -> object:
    data = {"cart": dict.fromkeys(items, 1)} if items else {}
    return {"subject": subject, "data": data}


def is_refused(answer: Answer) -> bool:
    return answer.status == 409 and not answer.cookies


async def test_a_logout_during_a_slow_request_is_final(shop: Shop) -> None:
    """Fails when a store saves whatever is stored (S1), or creates what it does not find."""
    cookie = await signed_in(shop)
    slow = await shop.hold("/add/apple", cookie)
    logout = await shop.send("/logout", cookie)
    late = await slow.finish()
    assert (late.status, late.cookies) == (200, [])
    assert len(logout.cookies) == 1
    assert shop.happened(Happened.DROPPED) == 1
    assert await seen_by(shop, cookie) == nothing()
    assert await shop.sessions.count() == 0


async def test_a_slow_request_that_only_counts_as_activity_revives_nothing(
    shop: Shop, clock: Clock
) -> None:
    """Fails when a touch writes the record it has instead of the time alone (T1)."""
    cookie = await signed_in(shop)
    clock.move(minutes=10)
    slow = await shop.hold("/read", cookie)
    await shop.send("/logout", cookie)
    late = await slow.finish()
    assert (late.status, late.cookies) == (200, [])
    assert await seen_by(shop, cookie) == nothing()
    assert await shop.sessions.count() == 0


async def test_end_all_during_a_slow_request_is_final(shop: Shop) -> None:
    """Fails when a store saves whatever is stored (S1)."""
    cookie = await signed_in(shop)
    slow = await shop.hold("/add/apple", cookie)
    assert await shop.sessions.end_all("alice") == 1
    late = await slow.finish()
    assert (late.status, late.cookies) == (200, [])
    assert shop.happened(Happened.DROPPED) == 1
    assert await seen_by(shop, cookie) == nothing()
    assert await shop.sessions.count() == 0


@pytest.mark.parametrize("late", ["/step-up", "/rotate"])
async def test_a_privilege_change_after_the_end_is_refused(shop: Shop, late: str) -> None:
    """Fails when the table answers a lost step-up as it does a lost edit."""
    cookie = await signed_in(shop)
    slow = await shop.hold(late, cookie)
    await shop.send("/logout", cookie)
    answer = await slow.finish()
    assert (answer.status, answer.cookies) == (401, [])
    assert await shop.sessions.count() == 0


@pytest.mark.parametrize("change", PRIVILEGE_CHANGES)
@pytest.mark.parametrize("write", ["/add/apple", "/count"])
async def test_a_write_is_refused_when_privileges_changed_meanwhile(
    shop: Shop, change: str, write: str
) -> None:
    """Fails when the lineages are not compared before a rebase (S2)."""
    old = await signed_in(shop)
    slow = await shop.hold(write, old)
    new = (await shop.send(change, old)).cookie
    assert is_refused(await slow.finish())
    assert shop.happened(Happened.SUPERSEDED) == 1
    assert await seen_by(shop, new) == holds("alice")
    assert await seen_by(shop, old) == nothing()


async def test_a_visitors_write_is_refused_when_the_visitor_signed_in_meanwhile(shop: Shop) -> None:
    """Fails when a moved session is taken for an ended one: 200, and the item in neither (S3)."""
    visitor = await with_cart(shop)
    slow = await shop.hold("/add/pear", visitor)
    user = (await shop.send("/login/alice", visitor)).cookie
    assert is_refused(await slow.finish())
    assert await seen_by(shop, visitor) == nothing()
    assert await seen_by(shop, user) == holds("alice", "apple")
    assert await shop.sessions.count() == 1


@pytest.mark.parametrize("change", [*PRIVILEGE_CHANGES, "/logout"])
async def test_a_slow_read_is_answered_as_it_opened(shop: Shop, change: str) -> None:
    """Fails when a request that wants nothing is refused, or hands out a cookie (R-025)."""
    cookie = await signed_in(shop)
    slow = await shop.hold("/read", cookie)
    await shop.send(change, cookie)
    late = await slow.finish()
    assert (late.status, late.body, late.cookies) == (200, holds("alice"), [])


@pytest.mark.parametrize("change", ["/rotate", "/step-up"])
async def test_of_two_rotations_at_once_the_first_wins(shop: Shop, change: str) -> None:
    """Fails when a rotation is rebased over another: two cookies, the browser may keep the dead one
    (P7)."""
    cookie = await signed_in(shop)
    slow = await shop.hold("/rotate", cookie)
    new = (await shop.send(change, cookie)).cookie
    assert is_refused(await slow.finish())
    assert await seen_by(shop, new) == holds("alice")


async def test_of_two_logins_from_one_cart_both_succeed_with_the_cart(shop: Shop) -> None:
    """The browser keeps the cookie that arrives last, whichever that is (P6).

    Fails when a lost sign-in is dropped, or starts empty although the cart moved to the same user.
    """
    visitor = await with_cart(shop)
    first = await shop.hold("/login/alice", visitor)
    second = await shop.hold("/login/alice", visitor)
    answers = [await second.finish(), await first.finish()]
    assert [answer.status for answer in answers] == [200, 200]
    assert len({answer.token.id for answer in answers}) == 2
    for answer in answers:
        assert await seen_by(shop, answer.cookie) == holds("alice", "apple")
    assert await seen_by(shop, visitor) == nothing()
    assert await shop.sessions.count("alice") == 2


async def test_of_two_users_only_the_first_gets_the_visitors_cart(shop: Shop) -> None:
    """Fails when a sign-in keeps its copy whoever the data moved to (P5)."""
    visitor = await with_cart(shop)
    slow = await shop.hold("/login/bob", visitor)
    alice = (await shop.send("/login/alice", visitor)).cookie
    bob = (await slow.finish()).cookie
    assert await seen_by(shop, alice) == holds("alice", "apple")
    assert await seen_by(shop, bob) == holds("bob")


@pytest.mark.parametrize("start", ["visitor", "own session"])
async def test_a_login_over_a_cart_that_ended_starts_empty(shop: Shop, start: str) -> None:
    """Fails when ended data lives on in the fork (P5), or the sign-in ends with it (P6)."""
    cookie = await with_cart(shop)
    if start == "own session":
        cookie = (await shop.send("/login/alice", cookie)).cookie
    slow = await shop.hold("/login/alice", cookie)
    await shop.send("/logout", cookie)
    late = await slow.finish()
    assert late.status == 200
    assert await seen_by(shop, late.cookie) == holds("alice")


async def test_an_item_added_while_a_login_copies_the_cart_is_in_it(shop: Shop) -> None:
    """Fails when the old session is closed whatever its version (P3)."""
    visitor = await with_cart(shop)
    slow = await shop.hold("/login/alice", visitor)
    await shop.send("/add/pear", visitor)
    late = await slow.finish()
    assert await seen_by(shop, late.cookie) == holds("alice", "apple", "pear")
    assert await seen_by(shop, visitor) == nothing()


@pytest.mark.parametrize("start", ["nothing", "cart", "own session"])
async def test_a_login_between_password_check_and_commit_is_ended_by_end_all(
    shop: Shop, start: str
) -> None:
    """Fails when the index takes the entry without looking at the bar (G2)."""
    cookie = None
    if start == "cart":
        cookie = await with_cart(shop)
    if start == "own session":
        cookie = await signed_in(shop)
    slow = await shop.hold("/login/alice", cookie)
    await shop.sessions.end_all("alice")
    late = await slow.finish()
    assert (late.status, late.cookies) == (401, [])
    assert shop.happened(Happened.SIGN_IN_REFUSED) == 1
    assert await shop.sessions.list("alice") == []
    left = (await shop.sessions.page())[0]
    assert {info.subject for info in left} <= ({None} if start == "cart" else set[None]())
    if start == "cart":
        assert await seen_by(shop, cookie or "") == holds(None, "apple")


async def test_a_login_after_end_all_is_welcome(shop: Shop, clock: Clock) -> None:
    await signed_in(shop)
    await shop.sessions.end_all("alice")
    clock.move(milliseconds=1)
    assert await seen_by(shop, await signed_in(shop)) == holds("alice")


async def test_the_end_all_of_a_sign_in_does_not_refuse_itself(shop: Shop) -> None:
    """Fails when the bar is compared without knowing who raised it (G2)."""
    others = [await signed_in(shop) for _ in range(2)]
    alone = await shop.send("/login-alone/alice")
    assert await seen_by(shop, alone.cookie) == holds("alice")
    for cookie in others:
        assert await seen_by(shop, cookie) == nothing()
    assert len(await shop.sessions.list("alice")) == 1


async def test_the_end_all_of_a_sign_in_may_be_repeated(shop: Shop, clock: Clock) -> None:
    """As it is when the first one was not answered.

    Fails when a request knows only the first bar that it raised.
    """
    sessions = shop.sessions
    session = await sessions.open(None)
    for _ in range(2):
        clock.move(milliseconds=1)
        await sessions.end_all("alice", keep=session)
    session.sign_in("alice")
    await sessions.commit(session)
    assert len(await sessions.list("alice")) == 1


async def test_a_sign_in_that_ends_all_others_spares_no_other_lineage_of_its_session(
    shop: Shop,
) -> None:
    """A thief of the cookie rotates it while the owner's new password is checked.

    Fails when the owner, who gets a new session, leaves the old one to the thief.
    """
    stolen = await signed_in(shop)
    slow = await shop.hold("/login-alone/alice", stolen)
    thief = (await shop.send("/rotate", stolen)).cookie
    owner = await slow.finish()
    assert await seen_by(shop, owner.cookie) == holds("alice")
    assert await seen_by(shop, thief) == nothing()


async def test_end_all_others_spares_no_other_lineage_of_its_session(shop: Shop) -> None:
    """The same, where the owner does not sign in again."""
    stolen = await shop.send("/login/alice")
    session = await shop.sessions.open(stolen.token)
    thief = (await shop.send("/rotate", stolen.cookie)).cookie
    await shop.sessions.end_all("alice", keep=session)
    assert await seen_by(shop, thief) == nothing()


async def test_a_sign_in_as_somebody_else_leaves_a_rotated_session_in_its_list(shop: Shop) -> None:
    """A session that no index knows is one that `end_all` misses.

    Fails when the old entry is removed although the old session stays.
    """
    old = await signed_in(shop)
    slow = await shop.hold("/login/bob", old)
    new = (await shop.send("/step-up", old)).cookie
    assert await seen_by(shop, (await slow.finish()).cookie) == holds("bob")
    assert await seen_by(shop, new) == holds("alice")
    assert await shop.sessions.end_all("alice") == 1
    assert await seen_by(shop, new) == nothing()


async def test_a_late_logout_ends_the_session_that_was_rotated_meanwhile(shop: Shop) -> None:
    """Fails when `end` asks for the lineage it opened (C3)."""
    old = await signed_in(shop)
    slow = await shop.hold("/logout", old)
    new = (await shop.send("/step-up", old)).cookie
    assert len((await slow.finish()).cookies) == 1
    assert await seen_by(shop, new) == nothing()


async def test_of_two_logouts_only_the_first_deletes_the_cookie(shop: Shop) -> None:
    """The late deletion would hit the cookie of a login in between. Fails without C2."""
    cookie = await signed_in(shop)
    slow = await shop.hold("/logout", cookie)
    await shop.send("/logout", cookie)
    late = await slow.finish()
    assert (late.status, late.cookies) == (200, [])
