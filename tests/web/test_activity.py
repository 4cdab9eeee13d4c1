"""Which requests keep a session alive (R-030): a person's, not those of a page left open."""

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from coatcheck import Sessions
from coatcheck.testing import Clock
from coatcheck.web.asgi import session_of
from coatcheck.web.gate import Passive
from coatcheck.web.transport import Headers
from tests.web.app import shop
from tests.web.client import Client
from tests.web.jar import Jar


async def poll(request: Request) -> Response:
    session = session_of(request)
    session["polled"] = session.get("polled", 0) + 1
    return PlainTextResponse(str(session["polled"]))


def is_automatic(path: str, headers: Headers) -> bool:
    return path == "/poll" or (b"x-automatic", b"yes") in headers


@pytest.mark.parametrize("passive", [["/poll"], is_automatic], ids=["paths", "function"])
async def test_a_page_that_polls_every_minute_keeps_nobody_signed_in(
    sessions: Sessions, clock: Clock, passive: Passive
) -> None:
    """Near the end too, where other requests are recorded before they run."""
    browser = Client(shop(sessions, poll, passive=passive), jar=Jar(clock))
    await browser.post("/login")
    for minute in range(1, 30):
        clock.move(minutes=1)
        assert (await browser.post("/poll")).body == str(minute).encode()
        await sessions.flush()
    assert (await browser.get("/me")).status == 200, "which is a person"
    clock.move(minutes=29)
    assert (await browser.get("/me")).status == 200
    clock.move(minutes=30)
    assert (await browser.get("/me")).status == 401


async def test_the_idle_time_ends_during_the_polls(sessions: Sessions, clock: Clock) -> None:
    browser = Client(shop(sessions, poll, passive=["/poll"]), jar=Jar(clock))
    await browser.post("/login")
    for _ in range(30):
        clock.move(minutes=1)
        await browser.post("/poll")
        await sessions.flush()
    assert (await browser.get("/me")).status == 401


async def test_a_function_tells_by_headers(sessions: Sessions, clock: Clock) -> None:
    browser = Client(shop(sessions, passive=is_automatic), jar=Jar(clock))
    await browser.post("/login")
    clock.move(minutes=29)
    assert (await browser.get("/me", [("x-automatic", "yes")])).status == 200
    clock.move(minutes=1)
    assert (await browser.get("/me")).status == 401


async def test_a_path_that_only_starts_alike_is_a_persons(sessions: Sessions, clock: Clock) -> None:
    browser = Client(shop(sessions, passive=["/m"]), jar=Jar(clock))
    await browser.post("/login")
    for _ in range(3):
        clock.move(minutes=29)
        assert (await browser.get("/me")).status == 200


async def test_paths_are_those_below_the_mount(sessions: Sessions, clock: Clock) -> None:
    """Fails when a mounted application has to know where it is mounted."""
    browser = Client(shop(sessions, passive=["/me"]), jar=Jar(clock))
    await browser.post("/login")
    clock.move(minutes=29)
    assert (await browser.get("/shop/me", root_path="/shop")).status == 200
    clock.move(minutes=1)
    assert (await browser.get("/me")).status == 401
