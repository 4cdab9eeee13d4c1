"""Floods and guesses over HTTP: who is refused, as whom it counts, and what the answer tells."""

import asyncio
import os

import pytest

from coatcheck import Event, Happened, Policy, Rate, Sessions, Token
from coatcheck.testing import Clock
from tests.web.app import shop
from tests.web.client import STRANGER, Client, Reply
from tests.web.jar import Jar
from tests.web.spy import Spy
from tests.web.test_unauthenticated import RETIRED, USELESS, Way

PROXY = "203.0.113.9"
POLICY = Policy(visitor_rate=Rate(3), guess_rate=Rate(5), on_guessing="refuse")
TOO_MANY = b'{"error": "too many requests, please try again later"}'


@pytest.fixture
def sessions(spy: Spy, clock: Clock, events: list[Event]) -> Sessions:
    clock.ms -= clock.ms % 60_000  # so that a minute is left
    return Sessions(spy.store, clock=clock, policy=POLICY, on_event=events.append)


async def flood(sessions: Sessions, times: int, *headers: tuple[str, str], peer: str) -> list[int]:
    """Begin sessions as a bot does, which keeps no cookie; return the statuses."""
    app = shop(sessions, trusted_proxies=[PROXY])
    replies = [await Client(app, peer=peer).post("/write", headers) for _ in range(times)]
    return [reply.status for reply in replies]


@pytest.mark.usefixtures("every_store")
async def test_a_flood_is_answered_429_and_says_until_when(sessions: Sessions) -> None:
    assert await flood(sessions, 5, peer=STRANGER) == [200, 200, 200, 429, 429]
    reply = await Client(shop(sessions)).post("/write")
    assert (reply.body, reply.cookies, reply.error) == (TOO_MANY, [], None)
    assert (reply.get("retry-after"), reply.get("cache-control")) == ("60", "private")
    assert (await Client(shop(sessions)).get("/read")).status == 200  # who leaves nothing is served
    assert await flood(sessions, 1, peer="198.51.100.8") == [200]
    assert await sessions.count() == 4


async def test_a_made_up_address_changes_nothing(sessions: Sessions) -> None:
    """Fails when `X-Forwarded-For` is believed of anybody."""
    for n in range(3):
        told = ("x-forwarded-for", f"203.0.113.{n}")
        assert await flood(sessions, 1, told, peer=STRANGER) == [200]
    assert await flood(sessions, 1, ("x-forwarded-for", "8.8.8.8"), peer=STRANGER) == [429]


async def test_behind_our_proxy_its_clients_are_told_apart(sessions: Sessions) -> None:
    """Fails when the proxy is counted, or what a client wrote in front of the proxy's line."""
    https = ("x-forwarded-proto", "https")
    for n in range(3):
        made_up = ("x-forwarded-for", f"10.0.0.{n}, 198.51.100.20")
        assert await flood(sessions, 1, https, made_up, peer=PROXY) == [200]
    same = ("x-forwarded-for", "10.9.9.9, 198.51.100.20")
    assert await flood(sessions, 1, https, same, peer=PROXY) == [429]
    other = ("x-forwarded-for", "198.51.100.21")
    assert await flood(sessions, 1, https, other, peer=PROXY) == [200]


async def test_a_dead_cookie_goes_though_there_is_no_new_session(
    sessions: Sessions, clock: Clock
) -> None:
    await flood(sessions, 3, peer=STRANGER)
    reply = await Client(shop(sessions), jar=Jar(clock)).post(
        "/write", [("cookie", "__Host-sid=garbage")]
    )
    assert (reply.status, reply.body) == (429, TOO_MANY)
    assert [line.partition(";")[0] for line in reply.cookies] == ["__Host-sid="]


@pytest.mark.parametrize("way", [*USELESS, *RETIRED])
async def test_a_guesser_gets_one_answer_whatever_the_token_was(
    browser: Client, sessions: Sessions, clock: Clock, events: list[Event], way: Way
) -> None:
    """R-081. Fails when a cookie stays that could be deleted, and makes a guess of each request.

    C1 tells a retired token apart, as ever: it deletes no cookie.
    """
    cookies = await way(browser, sessions, clock)
    clock.ms += 60_000 - clock.ms % 60_000
    app = shop(sessions)

    async def ask(cookies: str) -> Reply:
        return await Client(app, jar=Jar(clock)).get("/me", [("cookie", cookies)])

    assert [(await ask(guess())).status for _ in range(5)] == [401] * 5
    reply = await ask(cookies)
    assert (reply.status, reply.body) == (429, TOO_MANY)
    deletes = way in USELESS
    assert reply.headers[:5] == [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(TOO_MANY)).encode()),
        (b"retry-after", b"60"),
        (b"vary", b"Cookie"),
        (b"cache-control", b"no-store" if deletes else b"private"),
    ]
    assert [line.partition(";")[0] for line in reply.cookies] == ["__Host-sid="] * deletes
    assert [event.kind for event in events].count(Happened.GUESSING) == 1


async def test_who_is_refused_once_is_rid_of_the_cookie(sessions: Sessions, clock: Clock) -> None:
    """Whoever came back to an expired login in an office that guesses."""
    app = shop(sessions)
    browser = Client(app, jar=Jar(clock))
    await browser.post("/login")
    clock.ms += 60_000 * 31
    for _ in range(5):
        await Client(app, jar=Jar(clock)).get("/me", [("cookie", guess())])
    assert [(await browser.get("/me")).status for _ in range(2)] == [429, 401]
    assert (await browser.post("/login")).status == 200


async def test_a_page_with_thirty_pictures_is_no_guesser(sessions: Sessions, clock: Clock) -> None:
    """They are all asked for before the answer that deletes the dead cookie is there."""
    app = shop(sessions)
    browser = Client(app, jar=Jar(clock))
    await browser.post("/login")
    clock.ms += 60_000 * 31
    cookie = ("cookie", browser.cookie)
    asked = [Client(app, jar=Jar(clock)).get("/me", [cookie]) for _ in range(30)]
    assert [reply.status for reply in await asyncio.gather(*asked)] == [401] * 30
    for _ in range(4):
        await Client(app, jar=Jar(clock)).get("/me", [("cookie", guess())])
    assert (await Client(app, jar=Jar(clock)).get("/me", [cookie])).status == 401
    assert (await Client(app, jar=Jar(clock)).get("/me", [("cookie", guess())])).status == 429


async def test_an_outage_deletes_nothing_of_a_guesser(
    sessions: Sessions, spy: Spy, clock: Clock
) -> None:
    """A malformed login beside a visitor's session that cannot be loaded, of one who is refused."""
    app = shop(sessions)
    browser = Client(app, jar=Jar(clock))
    await browser.post("/write")
    for _ in range(5):
        await Client(app, jar=Jar(clock)).get("/me", [("cookie", guess())])
    spy.down = {"load"}
    reply = await browser.get("/me", [("cookie", f"__Host-sid=garbage; {browser.cookie}")])
    assert (reply.status, reply.cookies) == (503, [])


def guess() -> str:
    return f"__Host-sid={Token.mint(os.urandom).reveal()}"
