"""R-071 and R-072 over HTTP and WebSockets: what a browser says of itself, and what comes of it."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import Binding, Client, Event, Happened, Policy, Sessions, profile
from coatcheck.errors import ConfigurationError
from coatcheck.testing import Clock
from coatcheck.web import BearerTransport, CookieTransport, hints
from coatcheck.web.asgi import SessionMiddleware, session_of
from coatcheck.web.hints import languages, platform
from tests.web.app import shop
from tests.web.client import Client as Browser
from tests.web.client import Headers
from tests.web.jar import Jar
from tests.web.spy import Spy

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/{}.0.0.0 Safari/537.36"
)
USER: dict[str, str] = {
    "user-agent": CHROME.format(140),
    "accept-language": "de-DE,de;q=0.9,en;q=0.8",
    "sec-ch-ua-platform": '"Windows"',
    "sec-ch-ua-mobile": "?0",
}
THIEF: dict[str, str] = {"user-agent": "curl/8.14.1"}
HOME, CAFE = "203.0.113.7", "192.0.2.66"
LADDER = Binding(notify=3, step_up=4, end=6)
DENIAL: dict[str, Any] = {"extensions": {"websocket.http.response": {}}}


def said(headers: dict[str, str]) -> Headers:
    return list(headers.items())


@pytest.fixture
def strict(spy: Spy, clock: Clock, events: list[Event]) -> Sessions:
    policy = Policy(binding=LADDER)
    return Sessions(spy.store, policy=policy, clock=clock, on_event=events.append)


async def recorded(sessions: Sessions, headers: Headers, **settings: Any) -> Client:
    await Browser(shop(sessions, **settings)).post("/login", headers)
    (device,) = await sessions.list("alice")
    return device.client


async def test_what_is_recorded_is_coarse(sessions: Sessions) -> None:
    client = await recorded(sessions, said(USER))
    assert client == Client("198.51.100.7", "Chrome on Windows", "Windows", "de,en")


async def test_who_says_nothing_is_recorded_as_silent(sessions: Sessions) -> None:
    """Fails when that is "not known", which is no change whatever comes later."""
    assert await recorded(sessions, ()) == Client("198.51.100.7", None, "", "")


@pytest.mark.parametrize(
    ("hint", "mobile", "expected"),
    [
        (b'"Android"', b"?1", "Android (mobile)"),
        (b'"macOS"', b"?0", "macOS"),
        (b'"Android"', b"", "Android"),
        (b'"Windows"\r\nevil', b"?0", "another platform"),
        (b"\xff" * 10_000, b"?1", "another platform (mobile)"),
        (b"", b"?1", "another platform (mobile)"),
        (b"", b"", ""),
    ],
)
def test_a_platform_is_one_of_a_few(hint: bytes, mobile: bytes, expected: str) -> None:
    assert platform(hint, mobile) == expected


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (b"de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de,en"),
        (b"DE", "de"),
        (b"*", ""),
        (b"en;q=0.5 , fil-PH", "en,fil"),
        (b"a,b,\xff, <script>, x-evil", ""),
        (b",".join(b"%c%c" % (97 + n // 26, 97 + n % 26) for n in range(600)), "aa,ab,ac,ad"),
        (b"", ""),
    ],
)
def test_languages_are_a_few_primary_tags(accepted: bytes, expected: str) -> None:
    assert languages(accepted) == expected


def test_no_cache_keeps_what_a_client_sent_as_it_is() -> None:
    """Fails when thousands of long headers that differ at their end stay in memory."""
    kept = [cache.cache_info().currsize for cache in (hints._languages, hints._platform)]  # pyright: ignore[reportPrivateUsage]
    for number in range(100):
        end = b"%d" % number
        hints.languages(b"tlh," * 10_000 + end)
        hints.platform(b"p" * 10_000 + end, b"?" * 10_000 + end)
    now = [cache.cache_info().currsize for cache in (hints._languages, hints._platform)]  # pyright: ignore[reportPrivateUsage]
    assert [after - before for before, after in zip(kept, now, strict=True)] == [1, 1]


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        (HOME, USER, 200),
        ("203.0.113.99", USER, 200),
        (CAFE, USER, 200),
        ("2001:db8::1", USER, 200),
        (CAFE, USER | {"user-agent": CHROME.format(150)}, 200),
        (HOME, USER | {"user-agent": CHROME.format(150), "accept-language": "de"}, 200),
        (CAFE, USER | {"sec-ch-ua-platform": '"Linux"', "sec-ch-ua-mobile": "?0"}, 200),
        (HOME, THIEF, 401),
        (CAFE, THIEF, 401),
        (CAFE, {}, 401),
        (CAFE, USER | {"user-agent": "python-requests/2", "sec-ch-ua-platform": ""}, 401),
    ],
    ids=[
        "as it was", "same network", "another network", "IPv6", "browser updated while travelling",
        "fewer languages", "platform and network", "another browser", "another browser, elsewhere",
        "no headers", "a script",
    ],
)  # fmt: skip
async def test_one_signal_costs_nothing_and_many_a_proof(
    strict: Sessions, address: str, headers: dict[str, str], status: int
) -> None:
    browser = Browser(shop(strict), peer=HOME)
    await browser.post("/login", said(USER))
    thief = Browser(browser.app, jar=browser.jar, peer=address)
    reply = await thief.get("/me", said(headers))
    assert (reply.status, reply.cookies) == (status, [])


async def test_observed_it_is_an_event_and_no_more(
    browser: Browser, sessions: Sessions, events: list[Event]
) -> None:
    """R-071, policy log: 200 and an event."""
    await browser.post("/login", said(USER))
    thief = Browser(browser.app, jar=browser.jar, peer=CAFE)
    assert [(await thief.get("/me", said(THIEF))).status for _ in range(3)] == [200] * 3
    (event,) = [event for event in events if event.kind is Happened.BINDING_CHANGED]
    assert event.facts["action"] == "observe"
    assert event.facts["language"] == "de,en -> none"


async def test_a_session_that_is_never_looked_at_is_told_of_as_well(
    strict: Sessions, events: list[Event]
) -> None:
    """And its response depends on nothing."""
    browser = Browser(shop(strict))
    await browser.post("/login", said(USER))
    reply = await browser.get("/never_looks", said(THIEF))
    assert (reply.status, reply.get("vary")) == (200, None)
    assert events[-1].kind is Happened.BINDING_CHANGED


def talking(sessions: Sessions) -> Starlette:
    async def chat(websocket: WebSocket) -> None:
        who = session_of(websocket).require_subject()
        await websocket.accept()
        await websocket.send_text(who)

    return Starlette(
        routes=[WebSocketRoute("/chat", chat)],
        middleware=[Middleware(SessionMiddleware, sessions=sessions)],
    )


@pytest.mark.parametrize("binding", [Binding(step_up=3), Binding(end=3)], ids=["step_up", "end"])
async def test_a_handshake_by_another_client_is_refused(
    spy: Spy, clock: Clock, binding: Binding
) -> None:
    """While the user's own, which says less of itself than a page does, is not: on the road."""
    sessions = Sessions(spy.store, policy=Policy(binding=binding), clock=clock)
    browser = Browser(shop(sessions), jar=Jar(clock))
    await browser.post("/login", said(USER))
    socket = Browser(talking(sessions), jar=browser.jar, scheme="wss", peer=CAFE)
    cookie = (b"cookie", browser.cookie.encode())
    own = [(b"user-agent", USER["user-agent"].encode()), cookie]
    messages = await socket.websocket("/chat", headers=own)
    assert [message["type"] for message in messages] == ["websocket.accept", "websocket.send"]
    stolen = [(b"user-agent", b"curl/8.14.1"), cookie]
    (close,) = await socket.websocket("/chat", headers=stolen)
    assert (close["type"], close["code"]) == ("websocket.close", 1008)
    start, _ = await socket.websocket("/chat", headers=stolen, **DENIAL)
    assert start["status"] == 401
    reply = await browser.get("/me", said(USER))
    assert reply.status == (200 if binding.end is None else 401)


async def test_a_forged_address_is_not_the_one_that_is_compared(spy: Spy, clock: Clock) -> None:
    """R-072: a thief who knows where the user is cannot say that he is there."""
    policy = Policy(binding=Binding(step_up=3))
    sessions = Sessions(spy.store, policy=policy, clock=clock)
    app = shop(sessions, trusted_proxies=["10.0.0.1"])
    user = Browser(app, peer="10.0.0.1")
    home: dict[str, str] = {"x-forwarded-for": HOME, "x-forwarded-proto": "https"}
    await user.post("/login", said(USER | home))
    (device,) = await sessions.list("alice")
    assert device.client.address == HOME
    headers = USER | home | {"accept-language": "fr"}
    assert (await user.get("/me", said(headers))).status == 200
    thief = Browser(app, jar=user.jar, peer=CAFE)
    assert (await thief.get("/me", said(headers))).status == 401


async def test_a_bearer_of_a_token_is_compared_too(strict: Sessions) -> None:
    api = Browser(shop(strict, transport=BearerTransport()))
    token = (await api.post("/login", said(USER))).get("session-token")
    own = [*said(USER), ("authorization", f"Bearer {token}")]
    stolen = [*said(THIEF), ("authorization", f"Bearer {token}")]
    assert (await api.get("/me", own)).status == 200
    reply = await api.get("/me", stolen)
    wanted = 'error="insufficient_user_authentication", acr_values="aal1", max_age="0"'
    assert (reply.status, reply.get("www-authenticate")) == (401, f"Bearer {wanted}")
    assert reply.get("session-token") is None


# What a profile says about cookies


async def keep(request: Request) -> Response:
    session = session_of(request)
    session.sign_in("alice")
    session.state.kept_for = 3_600  # as `permanent` and `set_expiry` of the frameworks do
    return Response()


def of_profile(spy: Spy, clock: Clock, **because: str) -> Sessions:
    return Sessions(spy.store, policy=profile("bank", because=because), clock=clock)


async def test_the_bank_gets_strict_cookies_that_go_with_the_browser(
    spy: Spy, clock: Clock
) -> None:
    (cookie,) = (await Browser(shop(of_profile(spy, clock), keep)).post("/keep")).cookies
    assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict")
    sessions = of_profile(spy, clock, max_age="kiosk of the branch")
    (cookie,) = (await Browser(shop(sessions, keep)).post("/keep")).cookies
    assert "Max-Age=3600" in cookie


@pytest.mark.parametrize(
    ("setting", "transport"),
    [
        ("same_site", CookieTransport()),
        ("max_age", CookieTransport(same_site="Strict", max_age=timedelta(minutes=5))),
    ],
)
def test_the_bank_refuses_weaker_cookies_without_a_reason(
    spy: Spy, clock: Clock, setting: str, transport: CookieTransport,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    async def app(*_: Any) -> None: ...

    with pytest.raises(ConfigurationError) as refusal:
        SessionMiddleware(app, sessions=of_profile(spy, clock), transport=transport)
    assert refusal.value.setting == setting
    kept = of_profile(spy, clock, **{setting: "links from our mails"})
    SessionMiddleware(app, sessions=kept, transport=transport)
    assert "links from our mails" in caplog.text


def test_what_exceeds_a_ceiling_is_said_at_the_start(
    spy: Spy, caplog: pytest.LogCaptureFixture
) -> None:
    policy = profile("aal3", absolute=timedelta(hours=13), because={"absolute": "night shifts"})
    Sessions(spy.store, policy=policy)
    assert "absolute is 13 h, and profile aal3 asks for at most 12 h" in caplog.text
    assert "night shifts" in caplog.text
