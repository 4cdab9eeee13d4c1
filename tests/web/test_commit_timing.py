"""What a response says has happened by the time its first byte is sent; else it says so."""

import asyncio
import contextlib
from collections import UserDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from coatcheck import Event, Happened, Sessions, Token
from coatcheck.errors import SessionTooLarge
from coatcheck.testing import Clock
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.web.app import Handler, shop
from tests.web.client import App, Client, Message, Receive, Send
from tests.web.jar import Jar
from tests.web.spy import Spy

UNAVAILABLE = {"error": "sessions are unavailable for the moment, please try again"}


async def stored(sessions: Sessions, browser: Client) -> dict[str, Any]:
    """Return what the store holds for `browser`, beside any request."""
    text = browser.jar.value("__Host-sid") or browser.jar.value("__Host-anon") or ""
    return dict(await sessions.open(Token.parse(text)))


class Watched:
    """An app, and how many sessions were stored when its response started."""

    def __init__(self, app: App, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions
        self.counts: list[int] = []

    async def __call__(
        self,
        scope: Message,
        receive: Receive,
        send: Send,
    ) -> None:
        async def watch(message: Message) -> None:
            self.counts.append(await self._sessions.count())
            await send(message)

        await self._app(scope, receive, watch)


def answering(status: int, body: bytes = b"") -> Handler:
    async def page(request: Request) -> Response:
        session_of(request)["cart"] = "hat"
        return Response(body, status)

    return page


async def page_in_pieces(request: Request) -> Response:
    session_of(request)["cart"] = "hat"
    return StreamingResponse(iter(["one", "two"]))


@pytest.mark.usefixtures("every_store")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("status", [200, 204, 304, 303, 404, "stream"])
async def test_everything_is_stored_before_the_first_byte(
    sessions: Sessions, clock: Clock, status: int | str, method: str
) -> None:
    """Also where there is no body, or a stream of it. Fails when the commit follows the app."""
    page = answering(status) if isinstance(status, int) else page_in_pieces
    app = Watched(shop(sessions, page), sessions)
    browser = Client(app, jar=Jar(clock))
    reply = await browser.send(method, f"/{page.__name__}")
    assert reply.status == (status if isinstance(status, int) else 200)
    assert set(app.counts) == {1}
    assert len(reply.cookies) == 1
    assert await stored(sessions, browser) == {"cart": "hat"}


async def test_fastapi_takes_it_as_any_middleware_and_threads_may_edit(
    sessions: Sessions, clock: Clock
) -> None:
    """`request.session` is a dict; a route that is no coroutine runs in a thread."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.get("/")
    def count(request: Request) -> int:  # pyright: ignore[reportUnusedFunction]
        visits: int = request.session.get("visits", 0) + 1
        request.session["visits"] = visits
        return visits

    browser = Client(app, jar=Jar(clock))
    assert [(await browser.get("/")).json() for _ in range(3)] == [1, 2, 3]
    assert await sessions.count() == 1


@pytest.mark.parametrize("path", ["/error", "/error?status=500", "/error?status=503"])
async def test_a_failed_request_saves_nothing(
    sessions: Sessions, browser: Client, path: str
) -> None:
    """Fails when the commit of a 5xx does not discard."""
    await browser.post("/write?cart=hat")
    reply = await browser.post(path)
    assert reply.status >= 500
    assert reply.cookies == []
    assert await stored(sessions, browser) == {"cart": "hat"}


@pytest.mark.usefixtures("every_store")
@pytest.mark.parametrize("query", ["", "&status=500", "&status=400"])
async def test_a_failed_request_still_ends_what_it_ended(
    sessions: Sessions, browser: Client, clock: Clock, query: str
) -> None:
    """Fails when an exception discards everything."""
    await browser.post("/login")
    cookie = browser.cookie
    await browser.post(f"/error?end=1{query}")
    assert await sessions.count("alice") == 0
    late = Client(shop(sessions), jar=Jar(clock))
    assert (await late.get("/me", [("cookie", cookie)])).status == 401


async def refuses(request: Request) -> Response:
    session_of(request)["tries"] = 1
    raise HTTPException(403, "no")


@pytest.mark.parametrize("path", ["/error?status=400", "/refuses", "/error?status=499"])
async def test_a_refused_request_saves(sessions: Sessions, browser: Client, path: str) -> None:
    """A 4xx is an answer like any other: it may count the tries, or keep what was typed."""
    browser.app = shop(sessions, refuses)
    await browser.post("/write?cart=hat")
    assert 400 <= (await browser.post(path)).status < 500
    assert len(await stored(sessions, browser)) == 2


async def signs_in_then_fails(request: Request) -> Response:
    session_of(request).sign_in("alice")
    return PlainTextResponse("sorry", 500)


async def test_a_failed_sign_in_signs_nobody_in(sessions: Sessions) -> None:
    browser = Client(shop(sessions, signs_in_then_fails))
    reply = await browser.post("/signs_in_then_fails")
    assert (reply.status, reply.cookies, await sessions.count()) == (500, [], 0)


@dataclass
class Hat:
    size: int


class Cart(UserDict[str, Any]):
    pass


@pytest.mark.parametrize(
    "value",
    [Hat(7), object(), Cart(), {"x"}.add, 1j, 2**70, "\ud800"],
    ids=lambda value: repr(value).split(" at 0x")[0],  # no address: the same in each run
)
async def test_what_cannot_be_stored_is_an_error_that_names_the_key(
    sessions: Sessions, browser: Client, spy: Spy, value: object
) -> None:
    """Before anything is sent or stored. Fails when the codec is asked after the response."""

    async def page(request: Request) -> Response:
        session_of(request)["cart"] = value
        return StreamingResponse(iter(["half ", "an answer"]))

    browser.app = shop(sessions, page)
    await browser.post("/write?cart=hat")
    spy.calls.clear()
    reply = await browser.post("/page")
    assert (reply.status, reply.body, reply.cookies) == (500, b"Internal Server Error", [])
    assert isinstance(reply.error, TypeError)
    assert "'cart'" in str(reply.error)
    assert spy.calls == ["load"]
    assert await stored(sessions, browser) == {"cart": "hat"}


@pytest.mark.parametrize("stowed", [{"cart": [Hat(7)]}, {"cart": {"a": {"b": Hat(7)}}}, {7: "hat"}])
async def test_what_is_hidden_deeper_is_named_as_well(
    sessions: Sessions, browser: Client, stowed: dict[Any, Any]
) -> None:
    async def page(request: Request) -> Response:
        session_of(request).update(stowed)
        return PlainTextResponse("fine")

    browser.app = shop(sessions, page)
    reply = await browser.post("/page")
    assert reply.status == 500
    assert str(next(iter(stowed))) in str(reply.error)
    assert await sessions.count() == 0


@pytest.mark.usefixtures("every_store")
async def test_a_session_that_is_too_large_leaves_the_stored_one_as_it_was(
    sessions: Sessions, browser: Client
) -> None:
    """M20: an error that says how much takes the room; fails without the check of the size."""
    await browser.post("/write?cart=hat")
    reply = await browser.post(f"/write?blob={'x' * 65_536}")
    assert (reply.status, reply.cookies) == (500, [])
    assert isinstance(reply.error, SessionTooLarge)
    assert reply.error.limit == 65_536
    assert list(reply.error.sizes) == ["blob", "cart"]
    assert await stored(sessions, browser) == {"cart": "hat"}
    assert (await browser.post("/write?more=1")).status == 200


async def test_a_session_of_half_the_size_is_reported(browser: Client, events: list[Event]) -> None:
    await browser.post(f"/write?blob={'x' * 32_768}")
    large = [event for event in events if event.kind is Happened.LARGE]
    assert [event.facts["largest"] for event in large] == ["'blob' 32777"]


async def counts_on(request: Request) -> Response:
    """Put a number in before each piece of the stream, and commit the even ones."""
    session, sessions = session_of(request), request.app.state.sessions
    session["n"] = 0

    async def body() -> AsyncIterator[str]:
        for n in range(1, 6):
            session["n"] = n
            if n % 2 == 0:
                await sessions.commit(session)
            yield str(n)

    return StreamingResponse(body())


@pytest.mark.usefixtures("every_store")
async def test_a_long_stream_saves_what_it_commits_itself(
    sessions: Sessions, browser: Client
) -> None:
    app = shop(sessions, counts_on)
    app.state.sessions = sessions
    browser.app = app
    assert (await browser.get("/counts_on")).body == b"12345"
    assert await stored(sessions, browser) == {"n": 4}


async def test_what_a_background_task_changes_is_reported(
    sessions: Sessions, browser: Client, events: list[Event]
) -> None:
    """Fails when only streams and sockets are asked what they left behind."""

    async def changes_behind(request: Request) -> Response:
        request.session["in"] = "time"
        late = BackgroundTask(lambda: request.session.update(late=True))
        return PlainTextResponse("", background=late)

    browser.app = shop(sessions, changes_behind)
    await browser.get("/changes_behind")
    assert [event.kind for event in events].count(Happened.UNSAVED) == 1


async def empties(request: Request) -> Response:
    session_of(request).clear()
    return PlainTextResponse("empty")


@pytest.mark.usefixtures("every_store")
@pytest.mark.parametrize("start", ["/write", "/login"])
async def test_emptying_a_stored_session_ends_it(
    sessions: Sessions, browser: Client, start: str
) -> None:
    browser.app = shop(sessions, empties)
    await browser.post(start)
    await browser.post("/write")
    reply = await browser.post("/empties")
    assert len(reply.cookies) == 1
    assert browser.jar.cookies == {}
    assert await sessions.count() == 0


async def test_strangers_leave_nothing_behind(sessions: Sessions, spy: Spy, clock: Clock) -> None:
    """R-080: a thousand of each; no record, no cookie, no question that need not be asked.

    Fails when a session is stored because it was looked at.
    """
    stranger = Client(shop(sessions), jar=Jar(clock))
    for n in range(1_000):
        token = Token.mint(n.to_bytes).reveal()
        for path in ("/read", "/never_looks", "/logout", "/me"):
            assert (await stranger.get(path)).cookies == []
        assert spy.calls == []
        for path in ("/read", "/logout"):
            await stranger.get(path, [("cookie", f"__Host-sid={token}; __Host-anon={token}")])
        assert spy.calls == ["load"] * 4  # either cookie may be the good one
        spy.calls.clear()
    assert await sessions.count() == 0


async def test_reading_costs_one_question_and_writing_one_more(browser: Client, spy: Spy) -> None:
    """The first write of an application sweeps as well, and then once a minute."""
    await browser.post("/login")
    spy.calls.clear()
    for path, calls in {
        "/me": ["load"],
        "/never_looks": ["load"],
        "/write?a=1": ["load", "save"],
        "/write?a=2": ["load", "save"],
    }.items():
        await browser.post(path)
        assert spy.calls == calls
        spy.calls.clear()


# --- The store is down


@pytest.mark.usefixtures("every_store")
async def test_while_the_store_is_down_only_those_who_look_are_told(
    browser: Client, spy: Spy, events: list[Event]
) -> None:
    """R-020: no identity, no cookie cleared; and it is over when it is over.

    Fails when the failure is raised at once, or taken for an absent session.
    """
    await browser.post("/login")
    before = browser.cookie
    spy.breaks()
    events.clear()
    fine = await browser.get("/never_looks")
    assert (fine.status, fine.get("vary"), fine.error) == (200, None, None)
    for path in ("/me", "/read", "/write", "/logout", "/login?as=mallory", "/stream"):
        reply = await browser.post(path)
        assert (reply.status, reply.json(), reply.error) == (503, UNAVAILABLE, None)
        assert reply.get("retry-after") == "2"
        assert (reply.cookies, reply.get("cache-control")) == ([], "private")
    assert {event.kind for event in events} == {Happened.UNAVAILABLE}
    assert browser.cookie == before
    spy.mends()
    assert (await browser.get("/me")).json()["subject"] == "alice"


async def test_strangers_do_not_notice_that_the_store_is_down(browser: Client, spy: Spy) -> None:
    spy.breaks()
    assert (await browser.get("/read")).json() == {}
    assert (await browser.get("/me")).status == 401
    assert (await browser.get("/logout")).status == 204
    assert (await browser.get("/me", [("cookie", "__Host-sid=garbage")])).status == 401


async def gives_up_looking(request: Request) -> Response:
    try:
        who = session_of(request).subject
    except Exception:
        return PlainTextResponse("somebody")
    return PlainTextResponse(f"{who}")


async def test_a_route_may_live_without_its_session(
    sessions: Sessions, browser: Client, spy: Spy
) -> None:
    browser.app = shop(sessions, gives_up_looking)
    await browser.post("/login")
    spy.down = {"load"}
    reply = await browser.get("/gives_up_looking")
    assert (reply.status, reply.body, reply.cookies) == (200, b"somebody", [])


@pytest.mark.usefixtures("every_store")
@pytest.mark.parametrize(
    ("path", "down"),
    [
        ("/write?a=1", {"save"}),
        ("/logout", {"end"}),
        ("/login?as=alice", {"save"}),
        ("/login?as=alice", {"enlist"}),
        ("/login?as=bob", {"save"}),
        ("/login?as=bob", {"enlist"}),
        ("/login?as=bob", {"end"}),
        ("/error?end=1", {"end"}),
        ("/stream", {"save"}),
        ("/empties", {"end"}),
    ],
    ids=str,
)
async def test_what_could_not_be_stored_is_not_answered_as_if_it_were(
    sessions: Sessions, browser: Client, spy: Spy, path: str, down: set[str]
) -> None:
    """R-020: a logout too is answered as a failure, and takes no cookie away.

    Fails when the commit's failure is swallowed, or follows the response.
    """
    browser.app = shop(sessions, empties)
    await browser.post("/login?as=alice")
    await browser.post("/write?cart=hat")
    before = browser.cookie
    spy.down = down
    reply = await browser.post(path)
    assert reply.status == (500 if path.startswith("/error") else 503)
    assert reply.cookies == []
    assert browser.cookie == before
    spy.mends()
    assert (await browser.get("/me")).json()["subject"] == "alice"
    status = {"/logout": 204, "/error?end=1": 500}.get(path, 200)
    assert (await browser.post(path)).status == status


@pytest.mark.parametrize("down", [{"save"}, {"enlist"}, {"end"}], ids=str)
async def test_a_visitor_whose_sign_in_could_not_be_stored_is_a_visitor_still(
    browser: Client, spy: Spy, down: set[str]
) -> None:
    await browser.post("/write?cart=hat")
    spy.down = down
    reply = await browser.post("/login")
    assert (reply.status, reply.json(), reply.cookies) == (503, UNAVAILABLE, [])
    spy.mends()
    assert (await browser.get("/read")).json() == {"cart": "hat"}
    assert (await browser.post("/login")).status == 200
    assert (await browser.get("/read")).json() == {"cart": "hat"}


async def test_unrecorded_activity_is_no_failure(
    browser: Client, spy: Spy, clock: Clock, events: list[Event]
) -> None:
    await browser.post("/login")
    clock.move(minutes=10)
    spy.down = {"touch", "sweep"}
    assert (await browser.get("/me")).status == 200
    assert (await browser.get("/never_looks")).status == 200
    assert (await browser.post("/write")).status == 200
    assert Happened.UNAVAILABLE in {event.kind for event in events}


async def ends_and_asks_who(request: Request) -> Response:
    session_of(request).end()
    session_of(request).require_subject()
    return PlainTextResponse("never")


async def test_a_401_after_a_logout_that_could_not_be_stored_is_a_503(
    sessions: Sessions, browser: Client, spy: Spy
) -> None:
    browser.app = shop(sessions, ends_and_asks_who)
    await browser.post("/login")
    spy.down = {"end"}
    assert (await browser.get("/ends_and_asks_who")).status == 503
    spy.mends()
    assert (await browser.get("/ends_and_asks_who")).status == 401
    assert await sessions.count("alice") == 0


@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_a_stream_whose_session_could_not_be_saved_stops_quietly(
    sessions: Sessions, browser: Client, spy: Spy, version: str
) -> None:
    """The client has its 503; the server's log needs no traceback of the stream."""
    pieces: list[int] = []

    async def page(request: Request) -> Response:
        session_of(request)["cart"] = "hat"

        async def body() -> AsyncIterator[str]:
            for n in range(1_000):
                pieces.append(n)
                yield "piece"

        return StreamingResponse(body())

    browser.app = shop(sessions, page)
    spy.down = {"save"}
    reply = await browser.get("/page", asgi={"version": "3.0", "spec_version": version})
    assert (reply.status, reply.json()) == (503, UNAVAILABLE)
    assert len(pieces) <= 2
    assert reply.error is None


# --- The session changed meanwhile


@pytest.mark.usefixtures("every_store")
async def test_a_change_to_a_session_that_was_rotated_meanwhile_is_a_409(
    sessions: Sessions, browser: Client
) -> None:
    """M41: nothing saved, no cookie; the client may repeat the request."""

    async def slow(request: Request) -> Response:
        session = session_of(request)
        session["late"] = True
        text = browser.jar.value("__Host-sid") or ""
        await sessions.rotate(await sessions.open(Token.parse(text)))
        return PlainTextResponse("saved")

    browser.app = shop(sessions, slow)
    await browser.post("/login")
    reply = await browser.post("/slow")
    assert (reply.status, reply.cookies) == (409, [])
    assert reply.json() == {"error": "the session changed meanwhile, please try again"}


@pytest.mark.usefixtures("every_store")
async def test_a_change_to_a_session_that_ended_meanwhile_is_dropped(
    sessions: Sessions, browser: Client
) -> None:
    """R-029: as if it had come before the end; no cookie, nothing stored."""

    async def slow(request: Request) -> Response:
        session_of(request)["late"] = True
        await sessions.end_all("alice")
        return PlainTextResponse("saved")

    browser.app = shop(sessions, slow)
    await browser.post("/login")
    reply = await browser.post("/slow")
    assert (reply.status, reply.cookies) == (200, [])
    assert await sessions.count() == 0


@pytest.mark.parametrize("how", ["cancelled", "silent"])
async def test_an_end_holds_even_where_nothing_is_answered(
    sessions: Sessions, browser: Client, how: str
) -> None:
    """A client that went away, a deadline around the application, or an application's mistake.

    Fails when only a response or an exception carries it out.
    """

    async def ends(scope: Message, receive: Receive, send: Send) -> None:
        scope["session"].end()
        if how == "cancelled":
            raise asyncio.CancelledError

    await browser.post("/login")
    assert await sessions.count("alice") == 1
    middleware = SessionMiddleware(ends, sessions=sessions)
    scope = browser.scope("/")
    with contextlib.suppress(asyncio.CancelledError):
        await middleware(scope, nothing, nowhere)
    assert await sessions.count("alice") == 0


async def nothing() -> Message:
    raise AssertionError


async def nowhere(message: Message) -> None:
    raise AssertionError(message)


async def test_an_outage_deletes_nothing(
    sessions: Sessions, browser: Client, spy: Spy, clock: Clock
) -> None:
    """A dead cookie's deletion waits for an answer that is no 503 (promise 6)."""
    await browser.post("/login")
    clock.move(minutes=31)
    spy.down = {"save"}
    reply = await browser.post("/login")
    assert (reply.status, reply.cookies) == (503, [])
    spy.mends()
    assert (await browser.get("/me")).cookies[0].startswith("__Host-sid=;")


async def test_a_request_that_failed_was_activity_all_the_same(
    browser: Client, sessions: Sessions, clock: Clock
) -> None:
    """Its changes are discarded; that somebody was there is not. Fails when only an end is done."""
    await browser.post("/login")
    for _ in range(3):
        clock.move(minutes=20)
        assert (await browser.get("/error")).status == 500
        await sessions.flush()
    assert (await browser.get("/me")).status == 200
