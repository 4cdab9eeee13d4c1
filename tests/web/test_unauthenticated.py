"""All ways of not being signed in any more have one answer, and none of them stores anything."""

from collections.abc import Awaitable, Callable

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from coatcheck import Event, Happened, Sessions, Token
from coatcheck.core.record import Record, Tombstone
from coatcheck.testing import Clock, next_version
from coatcheck.web.asgi import session_of
from tests.web.app import shop
from tests.web.client import Client, Reply
from tests.web.jar import Jar
from tests.web.spy import Spy

SID = "__Host-sid"
BODY = b'{"error": "session expired, please log in again"}'
VISITOR = b'{"error": "please log in first"}'

Way = Callable[[Client, Sessions, Clock], Awaitable[str]]
"""Brings a client about, and returns the cookies that are of no use any more."""


def presented(browser: Client, name: str = SID) -> str:
    """Return the cookie as the browser sends it; it has to have one."""
    value = browser.jar.value(name)
    assert value is not None
    return f"{name}={value}"


async def malformed(_: Client, __: Sessions, ___: Clock) -> str:
    return f"{SID}=garbage"


async def ambiguous(browser: Client, _: Sessions, __: Clock) -> str:
    await browser.post("/login")
    return f"{presented(browser)}; {SID}=another"


async def unknown(_: Client, __: Sessions, ___: Clock) -> str:
    return f"{SID}={Token.mint(lambda n: bytes(range(n))).reveal()}"


async def idle_for_too_long(browser: Client, _: Sessions, clock: Clock) -> str:
    await browser.post("/login")
    clock.move(minutes=30)
    return presented(browser)


async def past_its_absolute_end(browser: Client, __: Sessions, clock: Clock) -> str:
    """In use until 24 minutes before, so that it is not idle for too long as well."""
    await browser.post("/login")
    for _ in range(24):
        clock.move(minutes=29)
        await browser.get("/me")
    clock.move(minutes=24)
    return presented(browser)


async def ended_long_ago(browser: Client, sessions: Sessions, clock: Clock) -> str:
    """Its tombstone is gone: a sweep came by."""
    await browser.post("/login")
    cookie = presented(browser)
    await browser.post("/logout")
    clock.move(minutes=10)
    await Client(shop(sessions)).post("/write")
    return cookie


async def ended_and_not_swept(browser: Client, _: Sessions, clock: Clock) -> str:
    """A store may keep a tombstone for longer than it has to."""
    await browser.post("/login")
    cookie = presented(browser)
    await browser.post("/logout")
    clock.move(minutes=2)
    return cookie


async def signed_out(browser: Client, _: Sessions, __: Clock) -> str:
    await browser.post("/login")
    cookie = presented(browser)
    await browser.post("/logout")
    return cookie


async def ended_from_elsewhere(browser: Client, sessions: Sessions, _: Clock) -> str:
    await browser.post("/login")
    await sessions.end_all("alice")
    return presented(browser)


async def rotated(browser: Client, sessions: Sessions, _: Clock) -> str:
    await browser.post("/login")
    cookie = presented(browser)
    session = await sessions.open(Token.parse(cookie.removeprefix(f"{SID}=")))
    await sessions.rotate(session)
    return cookie


async def moved_by_a_sign_in(browser: Client, _: Sessions, __: Clock) -> str:
    await browser.post("/write")
    cookie = presented(browser, "__Host-anon")
    await browser.post("/login")
    return cookie


USELESS: dict[Way, tuple[Happened, str]] = {
    malformed: (Happened.REFUSED, "malformed"),
    ambiguous: (Happened.REFUSED, "ambiguous"),
    unknown: (Happened.REFUSED, "absent"),
    idle_for_too_long: (Happened.EXPIRED, "idle"),
    past_its_absolute_end: (Happened.EXPIRED, "absolute"),
    ended_long_ago: (Happened.REFUSED, "absent"),
    ended_and_not_swept: (Happened.REFUSED, "absent"),
}
"""What is told of each."""
RETIRED: list[Way] = [signed_out, ended_from_elsewhere, rotated, moved_by_a_sign_in]


async def ask(sessions: Sessions, clock: Clock, cookies: str) -> Reply:
    """Ask who one is, in a jar of one's own."""
    return await Client(shop(sessions), jar=Jar(clock)).get("/me", [("cookie", cookies)])


async def test_a_dead_login_and_a_dead_visitor_go_by_one_answer(
    browser: Client, sessions: Sessions, clock: Clock
) -> None:
    """Fails when the second one stays until the next answer, and is a bad token once more."""
    await browser.post("/login")
    login = browser.cookie
    other = Client(shop(sessions), jar=Jar(clock))
    await other.post("/write")
    clock.move(minutes=31)
    reply = await ask(sessions, clock, f"{login}; {other.cookie}")
    names = [line.partition(";")[0] for line in reply.cookies]
    assert (reply.status, names) == (401, ["__Host-sid=", "__Host-anon="])


@pytest.mark.parametrize("way", USELESS)
async def test_a_cookie_of_no_use_is_answered_the_same_and_deleted(
    browser: Client, sessions: Sessions, spy: Spy, clock: Clock, events: list[Event], way: Way
) -> None:
    """R-030, R-081: status, body and headers do not tell which it was; told once each.

    Fails when one of them is left out of what may be deleted, or has a body of its own; or when a
    tombstone counts for longer than it has to be kept.
    """
    cookies = await way(browser, sessions, clock)
    before = await sessions.count()
    spy.calls.clear()
    events.clear()
    reply = await ask(sessions, clock, cookies)
    assert (reply.status, reply.body, reply.error) == (401, BODY, None)
    assert reply.headers == [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
        (b"vary", b"Cookie"),
        (b"cache-control", b"no-store"),
        (
            b"set-cookie",
            b"__Host-sid=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "
            b"Secure; HttpOnly; SameSite=Lax",
        ),
    ]
    assert spy.calls == ([] if way in (malformed, ambiguous) else ["load"])
    assert [(event.kind, event.cause) for event in events] == [USELESS[way]]
    assert await sessions.count() == before


@pytest.mark.usefixtures("every_store")
@pytest.mark.parametrize("way", RETIRED)
async def test_a_token_that_was_just_retired_deletes_nothing(
    browser: Client, sessions: Sessions, spy: Spy, clock: Clock, events: list[Event], way: Way
) -> None:
    """R-026, C1: the browser may hold a newer cookie by now, or be about to get one.

    Fails when `RETIRED` is among the standings that may be deleted.
    """
    cookies = await way(browser, sessions, clock)
    before = await sessions.count()
    spy.calls.clear()
    events.clear()
    reply = await ask(sessions, clock, cookies)
    body = VISITOR if way is moved_by_a_sign_in else BODY
    assert (reply.status, reply.body, reply.cookies) == (401, body, [])
    assert spy.calls == ["load"]
    assert [(e.kind, e.cause) for e in events] == [(Happened.REFUSED, "retired")]
    assert await sessions.count() == before


async def test_who_never_logged_in_is_not_told_that_it_expired(
    browser: Client, clock: Clock, events: list[Event]
) -> None:
    """It tells what the browser itself presented, and no more. Fails when all 401 are one."""
    reply = await browser.get("/me")
    assert (reply.status, reply.body, reply.cookies, events) == (401, VISITOR, [], [])
    await browser.post("/write")
    assert (await browser.get("/me")).body == VISITOR
    cookie = presented(browser, "__Host-anon")
    clock.move(minutes=31)
    reply = await browser.get("/me", [("cookie", cookie)])  # its own is over, too
    assert (reply.status, reply.body) == (401, VISITOR)


@pytest.mark.parametrize("is_ended", [True, False])
async def test_a_login_that_is_over_is_one_beside_a_visitors_session_too(
    browser: Client, sessions: Sessions, clock: Clock, is_ended: bool
) -> None:
    """Which counts in its place. Fails when a session that has no user makes a visitor of a login.

    Also of the session that the page itself begins.
    """

    async def begin(request: Request) -> Response:
        session_of(request)["hat"] = 1
        return PlainTextResponse(session_of(request).require_subject())

    browser.app = shop(sessions, begin)
    await browser.post("/login")
    login = browser.cookie
    if is_ended:
        await sessions.end_all("alice")
    else:
        clock.move(minutes=31)
    other = Client(shop(sessions), jar=Jar(clock))
    await other.post("/write")
    reply = await ask(sessions, clock, f"{login}; {other.cookie}")
    assert (reply.status, reply.body) == (401, BODY)
    assert (await browser.get("/begin")).body == BODY


async def test_who_ends_a_login_and_looks_is_told_that_it_is_over(
    browser: Client, sessions: Sessions
) -> None:
    """In the very request that ends it."""

    async def out(request: Request) -> Response:
        session_of(request).end()
        return PlainTextResponse(session_of(request).require_subject())

    browser.app = shop(sessions, out)
    await browser.post("/login")
    assert (await browser.get("/out")).body == BODY
    assert (await browser.get("/out")).body == VISITOR


async def test_a_late_answer_to_the_old_cookie_leaves_the_new_one_alone(
    browser: Client, sessions: Sessions, clock: Clock
) -> None:
    """R-026: a second tab asks with the visitor's cookie while the first signs in."""
    await browser.post("/write")
    old = browser.cookie
    await browser.post("/login")
    for path in ("/me", "/read", "/logout", "/write?late=1"):
        late = await browser.get(path, [("cookie", old)])
        assert not any(line.startswith(SID) for line in late.cookies)
    assert (await browser.get("/me")).status == 200
    assert await sessions.count("alice") == 1


@pytest.mark.parametrize("way", [*USELESS, *RETIRED])
async def test_signing_in_over_a_useless_cookie_just_works(
    browser: Client, sessions: Sessions, clock: Clock, way: Way
) -> None:
    """One `Set-Cookie`: the new token, not the deletion of the old."""
    cookies = await way(browser, sessions, clock)
    fresh = Client(shop(sessions), jar=Jar(clock))
    reply = await fresh.post("/login?as=bob", [("cookie", cookies)])
    assert [line.partition("=")[0] for line in reply.cookies] == [SID]
    assert (await fresh.get("/me")).json()["subject"] == "bob"


@pytest.mark.parametrize("way", [*USELESS, *RETIRED])
async def test_signing_out_with_a_useless_cookie_is_fine_and_stores_nothing(
    browser: Client, sessions: Sessions, spy: Spy, clock: Clock, way: Way
) -> None:
    """R-036: idempotent; a second logout creates no record."""
    cookies = await way(browser, sessions, clock)
    before = await sessions.count()
    spy.calls.clear()
    reply = await Client(shop(sessions), jar=Jar(clock)).post("/logout", [("cookie", cookies)])
    assert reply.status == 204
    assert set(spy.calls) <= {"load"}
    assert await sessions.count() == before


@pytest.mark.usefixtures("every_store")
async def test_a_cookie_from_before_the_logout_opens_nothing(
    browser: Client, sessions: Sessions, clock: Clock
) -> None:
    """R-036. Fails when a logout only deletes the cookie."""
    await browser.post("/login")
    kept = browser.cookie
    await browser.post("/logout")
    assert (await ask(sessions, clock, kept)).status == 401
    assert await sessions.count() == 0


@pytest.mark.usefixtures("every_store")
async def test_29_minutes_are_fine_and_31_are_not(browser: Client, clock: Clock) -> None:
    """R-030: activity restarts the timer, even of a route that does not look."""
    await browser.post("/login")
    for path in ("/me", "/never_looks", "/me"):
        clock.move(minutes=29)
        assert (await browser.get(path)).status == 200
    clock.move(minutes=31)
    assert (await browser.get("/me")).status == 401


@pytest.mark.parametrize("header", ["sec-purpose", "purpose"])
async def test_a_prefetch_is_no_activity(browser: Client, clock: Clock, header: str) -> None:
    """R-030. Fails when the header is not looked at."""
    await browser.post("/login")
    for path in ("/me", "/never_looks"):
        clock.move(minutes=14)
        assert (await browser.get(path, [(header, "prefetch;prerender")])).status == 200
    clock.move(minutes=3)
    assert (await browser.get("/me")).status == 401


async def damaged(spy: Spy, browser: Client) -> Record:
    """Damage what is stored for `browser`, and return it."""
    token = Token.parse(browser.jar.value(SID) or "")
    assert token is not None
    record = await spy.behind.load(token.id)
    assert isinstance(record, Record)
    broken = next_version(record, payload=b"\x01\x00 from another version")
    await spy.behind.save(broken, record)
    return broken


@pytest.mark.usefixtures("every_store")
async def test_a_record_that_cannot_be_read_is_left_alone_and_reported_once(
    browser: Client, sessions: Sessions, spy: Spy, clock: Clock, events: list[Event]
) -> None:
    """R-013: that user alone is unauthenticated, and keeps the cookie for a version that can read.

    Fails when a damaged record is answered as an empty session that is then saved.
    """
    other = Client(shop(sessions), jar=Jar(clock))
    await other.post("/login?as=bob")
    await browser.post("/login")
    broken = await damaged(spy, browser)
    events.clear()
    for path in ("/me", "/read", "/write", "/me"):
        reply = await Client(shop(sessions), jar=Jar(clock)).get(
            path, [("cookie", presented(browser))]
        )
        assert reply.status == (401 if path == "/me" else 200)
        assert not any(line.startswith(SID) for line in reply.cookies)
    assert [event.kind for event in events if event.id == broken.id] == [Happened.UNREADABLE]
    assert await spy.behind.load(broken.id) == broken
    assert (await other.get("/me")).json()["subject"] == "bob"


async def test_who_cannot_be_read_is_answered_as_anybody_who_is_not_signed_in(
    browser: Client, spy: Spy
) -> None:
    await browser.post("/login")
    await damaged(spy, browser)
    assert (await browser.get("/me")).body == BODY
    assert (await browser.post("/login")).status == 200
    assert (await browser.get("/me")).json()["subject"] == "alice"


async def test_a_logout_holds_also_where_the_session_cannot_be_read(
    browser: Client, spy: Spy
) -> None:
    """While versions are mixed, a server that cannot read a session is asked to end it.

    204 has to mean that another server, which can read it, finds it ended as well.
    """
    await browser.post("/login")
    broken = await damaged(spy, browser)
    reply = await browser.post("/logout")
    assert reply.status == 204
    assert isinstance(await spy.behind.load(broken.id), Tombstone)
