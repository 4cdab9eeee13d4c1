"""No shared cache ever hands one visitor what was made for another (RFC 9111)."""

import copy
import json
import operator
import pickle
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from coatcheck import Session, Sessions
from coatcheck.testing import Clock
from coatcheck.web import BearerTransport
from coatcheck.web.asgi import session_of
from tests.web.app import Handler, shop
from tests.web.client import Client
from tests.web.jar import Jar
from tests.web.shared_cache import SharedCache, storable
from tests.web.spy import Spy


def _laid_over(session: Session) -> None:
    session |= {"cart": "cap"}


def _matched(session: Session) -> object:
    match session:
        case {"cart": cart}:
            return cart
        case _:
            return None


EMPTY: dict[str, Any] = {}
LOOKS: dict[str, Callable[[Session], object]] = {
    "session['cart']": lambda s: s["cart"],
    "'cart' in session": lambda s: "cart" in s,
    "session.get": lambda s: s.get("x"),
    "len": len,
    "bool": bool,
    "iteration": list,
    "reversed": lambda s: list(reversed(s)),
    "keys": lambda s: s.keys(),
    "values": lambda s: s.values(),
    "items": lambda s: s.items(),
    "==": lambda s: s == {},
    "== from the left": lambda s: operator.eq({}, s),
    "!=": lambda s: s != {},
    "|": lambda s: s | EMPTY,
    "| from the left": lambda s: EMPTY | s,
    "|=": _laid_over,
    "format": lambda s: f"{s}",
    "%": "%(cart)s".__mod__,
    "format_map": "{cart}".format_map,
    "setdefault": lambda s: s.setdefault("cart", 1),
    "update": lambda s: s.update(cart="hat"),
    "pop": lambda s: s.pop("x", None),
    "del": lambda s: operator.delitem(s, "cart"),
    "set": lambda s: operator.setitem(s, "cart", "cap"),
    "clear": lambda s: s.clear(),
    "dict": dict,
    "**": lambda s: {**s},
    "dict.update": dict[str, Any]().update,
    "dict.fromkeys": dict.fromkeys,
    "json.dumps": json.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "session.copy": lambda s: s.copy(),
    "pickle": pickle.dumps,
    "match": _matched,
    "id": lambda s: s.id,
    "subject": lambda s: s.subject,
    "require_subject": lambda s: s.require_subject(),
    "created_at": lambda s: s.created_at,
    "seen_at": lambda s: s.seen_at,
    "expires_at": lambda s: s.expires_at,
    "assurance": lambda s: s.assurance,
    "client": lambda s: s.client,
    "standing": lambda s: s.standing,
    "sign_in": lambda s: s.sign_in("alice"),
    "rotate": lambda s: s.privilege_changed(),
    "end": lambda s: s.end(),
    "edit": lambda s: s.edit(lambda data: None),
    "hasattr": lambda s: hasattr(s, "anything"),
}


def looking(look: Callable[[Session], object], **headers: str) -> Handler:
    """Return a handler that does nothing but `look`; `/page` is its path."""

    async def page(request: Request) -> Response:
        look(request.scope["session"])  # handed over without a look, as session_of() is one
        return PlainTextResponse("page", headers=headers)

    return page


@pytest.fixture(params=[False, True], ids=["visitor", "signed in"])
async def cookie(request: pytest.FixtureRequest, browser: Client) -> str:
    """The cookies of somebody who has a session with a cart in it."""
    if request.param:
        await browser.post("/login")
    await browser.post("/write")
    return browser.cookie


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
async def test_every_look_makes_the_response_depend_on_the_cookie(
    sessions: Sessions, cookie: str, look: Callable[[Session], object]
) -> None:
    """R-078: Flask missed `in` and `len` once.

    Fails when `__getattribute__` is taken out of `core/unseen.py`, or from its list `__contains__`,
    `__delitem__`, `__eq__`, `__getitem__`, `__ior__`, `__iter__`, `__len__`, `__ne__`, `__or__`,
    `__reversed__` or `__setitem__`.
    """
    reply = await Client(shop(sessions, looking(look))).get("/page", [("cookie", cookie)])
    assert reply.all("vary") == ["Cookie"]
    assert reply.get("cache-control") == ("no-store" if reply.cookies else "private")


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
async def test_every_look_finds_out_that_the_store_is_down(
    sessions: Sessions, spy: Spy, cookie: str, look: Callable[[Session], object]
) -> None:
    """A look that slipped through would see a visitor where a user is."""
    spy.breaks()
    reply = await Client(shop(sessions, looking(look))).get("/page", [("cookie", cookie)])
    assert reply.status == 503


IN_C: dict[str, Callable[[Session], object]] = {
    "msgspec": msgspec.json.encode,
    "dict.items": lambda s: list(dict[str, Any].items(s)),
}


@pytest.mark.parametrize("read", IN_C.values(), ids=IN_C.keys())
async def test_a_serialiser_in_c_looks_or_sees_nothing(
    sessions: Sessions, cookie: str, read: Callable[[Session], object]
) -> None:
    """R-078: orjson and msgspec walk through a dict without calling any of its methods.

    Fails when the data is there before the first look.
    """
    shown: list[object] = []
    page = looking(lambda session: shown.append(read(session)))
    reply = await Client(shop(sessions, page)).get("/page", [("cookie", cookie)])
    assert (reply.status, len(shown)) == (200, 1)
    assert "hat" not in str(shown) or reply.all("vary") == ["Cookie"]


async def page(_: Request) -> Response:
    return PlainTextResponse("page", headers={"cache-control": "public, s-maxage=60"})


@pytest.mark.parametrize("minutes", [0, 10])
async def test_a_response_that_nobody_looked_for_is_left_as_it_is(
    sessions: Sessions, browser: Client, clock: Clock, minutes: int
) -> None:
    """R-078: no `Vary`, no cookie, cacheable; also when the activity is recorded.

    Fails when `Vary` is sent with every response.
    """
    await browser.post("/login")
    clock.move(minutes=minutes)
    browser.app = shop(sessions, page)
    plain = await browser.get("/never_looks")
    assert [name for name, _ in plain.headers] == [b"content-length", b"content-type"]
    reply = await browser.get("/page")
    assert len(reply.headers) == 3
    assert reply.get("cache-control") == "public, s-maxage=60"
    garbage = await browser.get("/page", [("cookie", "__Host-sid=garbage")])
    assert garbage.headers == reply.headers


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Accept", "Accept, Cookie"),
        ("accept-encoding, Origin", "accept-encoding, Origin, Cookie"),
        ("cookie", "cookie"),
        ("Accept,COOKIE", "Accept, COOKIE"),
        ("*", "*"),
        ("Accept, *", "*"),
        ("", "Cookie"),
    ],
)
async def test_vary_is_extended_not_replaced(sessions: Sessions, before: str, after: str) -> None:
    """R-078; RFC 9110 12.5.5. Fails when the application's own `Vary` is dropped."""
    app = shop(sessions, looking(len, vary=before))
    assert (await Client(app).get("/page")).all("vary") == [after]


async def two_varies(request: Request) -> Response:
    session_of(request).get("x")
    response = PlainTextResponse("page")
    response.raw_headers += [(b"vary", b"Accept"), (b"Vary", b"Origin")]
    return response


async def test_several_vary_headers_become_one(sessions: Sessions) -> None:
    reply = await Client(shop(sessions, two_varies)).get("/two_varies")
    assert [v for n, v in reply.headers if n.lower() == b"vary"] == [b"Accept, Origin, Cookie"]


@pytest.mark.parametrize(
    "said",
    ["public", "public, s-maxage=600", "max-age=60", "private", "no-cache", "PUBLIC, IMMUTABLE"],
)
@pytest.mark.parametrize("change", ["sign_in", "set"])
async def test_a_response_with_a_token_is_never_stored_whatever_was_said(
    sessions: Sessions, change: str, said: str
) -> None:
    """R-077. Fails when `no-store` is added only where nothing was said."""
    headers = {"Cache-Control": said, "Expires": "Fri, 01 Jan 2100 00:00:00 GMT"}
    reply = await Client(shop(sessions, looking(LOOKS[change], **headers))).get("/page")
    assert len(reply.cookies) == 1
    assert reply.all("cache-control") == ["no-store"]
    assert not storable("GET", reply.status, [], reply.headers)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CDN-Cache-Control", "max-age=600"),
        ("Cloudflare-CDN-Cache-Control", "max-age=600"),
        ("X-LiteSpeed-Cache-Control", "public, max-age=600"),
        ("Akamai-Cache-Control", "max-age=600"),
        ("Edge-Control", "max-age=600"),
        ("Surrogate-Control", "max-age=600"),
        ("X-Accel-Expires", "600"),
    ],
)
async def test_nor_by_a_cache_that_has_a_header_of_its_own(
    sessions: Sessions, name: str, said: str
) -> None:
    """R-077, RFC 9213 2.2: it would not look at `no-store`. Fails when the header is kept."""
    shown = await Client(shop(sessions, looking(len, **{name: said}))).get("/page")
    assert shown.all(name.lower()) == [said], "without a token, that is the application's to say"
    reply = await Client(shop(sessions, looking(LOOKS["sign_in"], **{name: said}))).get("/page")
    assert len(reply.cookies) == 1
    assert reply.all(name.lower()) == []


@pytest.mark.parametrize("path", ["/login", "/logout", "/write", "/stream"])
async def test_every_change_of_a_cookie_says_no_store(browser: Client, path: str) -> None:
    """R-077: sign-in, sign-out, and the first thing that is put in."""
    if path == "/logout":
        await browser.post("/login")
    reply = await browser.post(path)
    assert len(reply.cookies) == 1
    assert reply.all("cache-control") == ["no-store"]
    assert reply.all("vary") == ["Cookie"]


async def test_a_response_without_a_token_is_private_unless_the_application_said_more(
    sessions: Sessions, browser: Client
) -> None:
    """R-079; what the application says itself is kept, and `Vary` keeps it apart."""
    await browser.post("/login")
    assert (await browser.get("/me")).all("cache-control") == ["private"]
    browser.app = shop(sessions, looking(len, **{"cache-control": "public, max-age=60"}))
    reply = await browser.get("/page")
    assert (reply.get("cache-control"), reply.get("vary")) == ("public, max-age=60", "Cookie")
    for said in ("max-age=60", "no-cache"):  # nothing about whose it is
        browser.app = shop(sessions, looking(len, **{"cache-control": said}))
        assert (await browser.get("/page")).all("cache-control") == [said, "private"]
    for said in ("s-maxage=1", "private=x", "no-store"):
        browser.app = shop(sessions, looking(len, **{"cache-control": said}))
        assert (await browser.get("/page")).all("cache-control") == [said]


async def any_status(request: Request) -> Response:
    session_of(request).get("cart")
    return Response(b"", int(request.query_params["status"]))


async def partial(request: Request) -> Response:
    session_of(request).get("cart")
    return Response(b"par", 206, {"content-range": "bytes 0-2/10"})


async def raises(request: Request) -> Response:
    session_of(request).get("cart")
    raise HTTPException(int(request.query_params["status"]))


async def bug(request: Request) -> Response:
    session_of(request).get("cart")
    raise RuntimeError("a bug in the application")


async def events(request: Request) -> Response:
    name = session_of(request).subject

    async def tell() -> AsyncIterator[str]:
        for n in range(3):
            yield f"data: {name} {n}\n\n"

    return StreamingResponse(tell(), media_type="text/event-stream")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        *(f"/any_status?status={n}" for n in (200, 204, 301, 303, 304, 404, 410, 500, 501)),
        *(f"/raises?status={n}" for n in (401, 404, 405, 500)),
        "/partial", "/events", "/stream", "/bug", "/me", "/read", "/login", "/logout", "/error",
    ],
)  # fmt: skip
async def test_no_response_of_a_session_may_be_stored_by_a_shared_cache(
    sessions: Sessions, browser: Client, path: str, method: str
) -> None:
    """R-079. Fails when `private` is not added: 200, 204, 206, 301, 404, 405, 410 and 501 go."""
    await browser.post("/login")
    browser.app = shop(sessions, any_status, partial, raises, bug, events)
    reply = await browser.send(method, path)
    assert not storable(method, reply.status, [], reply.headers)


async def test_no_answer_of_the_library_itself_may_be_stored(
    sessions: Sessions, browser: Client, spy: Spy
) -> None:
    stranger = Client(shop(sessions))
    replies = [await stranger.get("/me"), await stranger.get("/me", [("cookie", "__Host-sid=x")])]
    await browser.post("/login")
    spy.breaks()
    replies.append(await browser.get("/me"))
    assert [reply.status for reply in replies] == [401, 401, 503]
    assert not any(storable("GET", reply.status, [], reply.headers) for reply in replies)


async def greedy(request: Request) -> Response:
    """Say that everybody may keep it, as a careless application does."""
    session = session_of(request)
    session.setdefault("visits", 1)
    headers = {"cache-control": "public, s-maxage=600"}
    return PlainTextResponse(f"for {session.subject}", headers=headers)


@pytest.mark.parametrize("path", ["/read", "/greedy", "/me", "/stream", "/events"])
async def test_behind_a_shared_cache_everybody_gets_their_own(
    sessions: Sessions, clock: Clock, path: str
) -> None:
    """R-077, R-078: no cookie of one visitor reaches another, nor what was made for them.

    Fails without `Vary`: bob is greeted as alice.
    """
    cache = SharedCache(shop(sessions, greedy, events))
    people = {name: Client(cache, jar=Jar(clock)) for name in ("alice", "bob", "carol")}
    given: list[str] = []
    for name, client in people.items():
        if name != "carol":
            given += (await client.post(f"/login?as={name}")).cookies
            await client.post(f"/write?name={name}")
    for _ in range(2):
        for name, client in people.items():
            reply = await client.get(path)
            given += reply.cookies
            others = {"alice", "bob"} - {name}
            assert not any(other.encode() in reply.body for other in others)
    tokens = [line.partition(";")[0] for line in given]
    assert len(tokens) == len(set(tokens))


async def test_the_cache_of_these_tests_does_store_and_reuse(sessions: Sessions) -> None:
    """A cache that stored nothing would prove nothing."""
    cache = SharedCache(shop(sessions, page))
    replies = [await Client(cache).get("/page") for _ in range(2)]
    assert replies[0] == replies[1]
    assert len(cache.stored["/page", b""]) == 1
    assert storable("GET", 404, [], []) is True
    assert storable("GET", 200, [(b"authorization", b"x")], []) is False


async def late_look(request: Request) -> Response:
    session = request.scope["session"]

    async def body() -> AsyncIterator[str]:
        yield "hello "
        yield str(session.get("cart"))

    return StreamingResponse(body())


async def test_a_first_look_after_the_whole_response_finds_the_session(
    sessions: Sessions, browser: Client
) -> None:
    """Fails, with an error, when a background task counts as part of the response."""
    found: list[str] = []

    async def looks_behind(request: Request) -> Response:
        return Response(background=BackgroundTask(lambda: found.append(request.session["cart"])))

    browser.app = shop(sessions, looks_behind)
    await browser.get("/write?cart=secret")
    reply = await browser.get("/looks_behind")
    assert (reply.error, reply.get("vary"), found) == (None, None, ["secret"])


async def test_a_first_look_in_the_middle_of_a_stream_does_not_leak(
    sessions: Sessions, browser: Client
) -> None:
    """R-078, R-079: the headers are gone; it must have been protected, or be refused."""
    await browser.post("/write?cart=secret")
    browser.app = shop(sessions, late_look)
    reply = await browser.get("/late_look")
    assert reply.body.startswith(b"hello ")
    assert b"secret" not in reply.body or not storable("GET", reply.status, [], reply.headers)


async def test_with_tokens_in_a_header_that_header_is_what_varies(sessions: Sessions) -> None:
    client = Client(shop(sessions, transport=BearerTransport()))
    assert (await client.get("/read")).all("vary") == ["Authorization"]
