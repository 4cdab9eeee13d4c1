"""R-106: each change of a session's life is told once, with who, what, when and from where."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from coatcheck import Event, MemoryStore, Policy, Sessions, Token
from coatcheck.errors import Unauthenticated
from coatcheck.testing import Clock
from coatcheck.web.asgi import session_of
from tests.web.app import shop
from tests.web.client import STRANGER, Client
from tests.web.jar import Jar

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HERE = (STRANGER, "Firefox on Linux", "", "")
NOWHERE = (None, None, None, None)


class Shop:
    """A shop with a browser, and what was told since it was last asked."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.clock, self.events = Clock(), list[Event]()
        self.sessions = Sessions(
            MemoryStore(), policy=policy, clock=self.clock, on_event=self.events.append
        )
        handlers = (self.step_up, self.rotate, self.clear, self.end_others, self.end_one)
        self.app = shop(self.sessions, *handlers)
        self.browser = self.another()

    def another(self) -> Client:
        return Client(self.app, jar=Jar(self.clock))

    async def send(self, path: str, browser: Client | None = None) -> None:
        await (browser or self.browser).get(path, [("user-agent", FIREFOX)])

    async def id(self, subject: str = "alice") -> str:
        return (await self.sessions.list(subject))[0].id

    def told(self) -> list[tuple[object, ...]]:
        told: list[tuple[object, ...]] = [
            (event.kind.value, event.subject, event.actor, event.cause, tuple(event.client))
            for event in self.events
        ]
        assert {event.at for event in self.events} <= {self.clock()}
        self.events.clear()
        return told

    async def step_up(self, request: Request) -> Response:
        session_of(request).step_up(2)
        return PlainTextResponse("")

    async def rotate(self, request: Request) -> Response:
        session_of(request).privilege_changed()
        return PlainTextResponse("")

    async def clear(self, request: Request) -> Response:
        session_of(request).clear()
        return PlainTextResponse("")

    async def end_others(self, request: Request) -> Response:
        session = session_of(request)
        await self.sessions.end_all(session.require_subject(), keep=session)
        return PlainTextResponse("")

    async def end_one(self, request: Request) -> Response:
        whose = request.query_params["of"]
        await self.sessions.end(await self.id(whose), actor=session_of(request))
        return PlainTextResponse("")


@pytest.fixture
def site() -> Shop:
    return Shop()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/write", []),
        ("/read", []),
        ("/step_up", [("session_stepped_up", "alice", "user", None, HERE)]),
        ("/rotate", [("session_rotated", "alice", "user", None, HERE)]),
        ("/login", [("session_rotated", "alice", "user", "sign_in", HERE)]),
        (
            "/login?as=bob",
            [
                ("session_ended", "alice", "user", "moved", HERE),
                ("session_created", "bob", "user", "sign_in", HERE),
            ],
        ),
        ("/logout", [("session_ended", "alice", "user", "end", HERE)]),
        ("/clear", [("session_ended", "alice", "user", "emptied", HERE)]),
    ],
)
async def test_what_a_signed_in_user_does(site: Shop, path: str, told: list[object]) -> None:
    await site.send("/login")
    await site.send("/write?cart=hat")
    site.events.clear()
    await site.send(path)
    assert site.told() == told


async def test_what_a_visitor_does(site: Shop) -> None:
    await site.send("/write")
    assert site.told() == [("session_created", None, "user", None, HERE)]
    await site.send("/login")
    assert site.told() == [
        ("session_ended", None, "user", "moved", HERE),
        ("session_created", "alice", "user", "sign_in", HERE),
    ]


async def test_a_user_ends_the_other_sessions(site: Shop) -> None:
    for _ in range(2):
        await site.send("/login", site.another())
    await site.send("/login")
    site.events.clear()
    await site.send("/end_others")
    assert site.told() == [
        ("session_ended", "alice", "user", "end_all", HERE),
        ("session_ended", "alice", "user", "end_all", HERE),
        ("sessions_ended", "alice", "user", None, HERE),
    ]


End = Callable[[Shop], Awaitable[object]]
ENDS: dict[str, tuple[End, str, tuple[object, ...]]] = {
    "nobody named": (lambda s: s.sessions.end_all("alice"), "application", NOWHERE),
    "by name": (lambda s: s.sessions.end_all("alice", actor="eve"), "administrator:eve", NOWHERE),
}
END_ONES: dict[str, tuple[Callable[[Shop, str], Awaitable[object]], str, tuple[object, ...]]] = {
    "nobody named": (lambda s, one: s.sessions.end(one), "application", NOWHERE),
    "the user": (lambda s, one: s.sessions.end(one, subject="alice"), "user", NOWHERE),
    "by name": (lambda s, one: s.sessions.end(one, actor="eve"), "administrator:eve", NOWHERE),
    "by session": (lambda s, _: s.send("/end_one?of=alice"), "administrator:eve", HERE),
}


@pytest.mark.parametrize("who", ENDS)
async def test_somebody_ends_all_sessions_of_a_user(site: Shop, who: str) -> None:
    end, actor, client = ENDS[who]
    await site.send("/login")
    site.events.clear()
    await end(site)
    assert site.told() == [
        ("session_ended", "alice", actor, "end_all", client),
        ("sessions_ended", "alice", actor, None, client),
    ]


@pytest.mark.parametrize("who", END_ONES)
async def test_somebody_ends_one_session(site: Shop, who: str) -> None:
    end, actor, client = END_ONES[who]
    await site.send("/login", site.another())
    await site.send("/login?as=eve")
    site.events.clear()
    await end(site, await site.id())
    assert site.told() == [("session_ended", "alice", actor, "revoked", client)]


@pytest.mark.parametrize(("idle", "cause"), [(30, "idle"), (60, "absolute")])
async def test_an_expiry_is_told_when_it_is_noticed_and_then_each_use(
    idle: int, cause: str
) -> None:
    site = Shop(Policy(idle=timedelta(minutes=idle), absolute=timedelta(hours=1)))
    await site.send("/login")
    cookie = [("cookie", site.browser.cookie), ("user-agent", FIREFOX)]
    site.events.clear()
    site.clock.move(minutes=idle)
    for _ in range(2):
        await site.browser.get("/me", cookie)
    assert site.told() == [
        ("session_expired", "alice", "system", cause, HERE),
        ("token_refused", "alice", None, "expired", HERE),
    ]


async def test_a_session_that_expires_while_its_request_runs_is_told() -> None:
    clock, events = Clock(), list[Event]()
    sessions = Sessions(MemoryStore(), clock=clock, on_event=events.append)
    session = await sessions.open(None)
    session.sign_in("alice")
    await sessions.commit(session)
    clock.move(minutes=31)
    await sessions.commit(session)
    assert [event.kind.value for event in events] == ["session_created", "session_expired"]


async def test_the_use_of_a_token_after_the_end_says_of_which(site: Shop) -> None:
    await site.send("/login")
    cookie, id = site.browser.cookie, await site.id()
    await site.send("/logout")
    site.events.clear()
    await site.browser.get("/me", [("cookie", cookie), ("user-agent", FIREFOX)])
    assert [(event.id, dict(event.facts)) for event in site.events] == [(id, {"ended": "end"})]
    assert site.told() == [("token_refused", None, None, "retired", HERE)]


async def test_a_wrong_secret_says_whose_session_it_is_for(site: Shop) -> None:
    await site.send("/login")
    forged = Token.mint(bytes, id=await site.id()).reveal()
    site.events.clear()
    await site.browser.get("/me", [("cookie", f"__Host-sid={forged}"), ("user-agent", FIREFOX)])
    assert site.told() == [("token_refused", "alice", None, "retired", HERE)]


async def test_a_sign_in_that_meets_the_end_of_all_is_told(site: Shop) -> None:
    session = await site.sessions.open(None)
    site.clock.move(seconds=1)
    await site.sessions.end_all("alice")
    site.events.clear()
    session.sign_in("alice")
    with pytest.raises(Unauthenticated, match="all sessions"):
        await site.sessions.commit(session)
    assert site.told() == [("sign_in_refused", "alice", "user", "end_all", NOWHERE)]


async def test_a_read_tells_nothing_and_asks_nobody(site: Shop) -> None:
    """An audit costs the common request nothing."""
    await site.send("/login")
    site.events.clear()
    for path in ("/read", "/never_looks", "/write?cart=hat", "/read"):
        await site.send(path)
    assert site.told() == []


async def test_a_sweep_is_told_with_its_count() -> None:
    clock, events = Clock(), list[Event]()
    sessions = Sessions(MemoryStore(), clock=clock, on_event=events.append)
    session = await sessions.open(None)
    session["cart"] = 1
    await sessions.commit(session)
    clock.move(hours=1)
    events.clear()
    await sessions.sweep()
    assert [(event.actor, dict(event.facts)) for event in events] == [("system", {"count": 1})]
