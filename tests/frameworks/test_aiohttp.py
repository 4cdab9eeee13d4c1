"""aiohttp's own server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ssl import create_default_context
from typing import Any, cast

import pytest
from aiohttp import CookieJar, WSServerHandshakeError, web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from coatcheck import Sessions
from coatcheck.errors import StoreUnavailable
from coatcheck.testing import BrowserContract, Driver, Pages
from coatcheck.web.aiohttp import get_session, session_of, setup
from tests.frameworks.aiohttp_server import PROXY, serving
from tests.frameworks.shop import Shop

Browser = TestClient[web.Request, web.Application]


class TestAiohttp(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        async def page(request: web.Request) -> web.StreamResponse:
            query = request.query_string
            page = await pages.answer_async(request.path, query, lambda: session_of(request))
            if page.chunks:
                stream = web.StreamResponse()
                await stream.prepare(request)
                for chunk in page.chunks():
                    await stream.write(chunk.encode())
                return stream
            return web.Response(text=page.body, status=page.status)

        def make() -> web.Application:
            app = web.Application()
            setup(app, Sessions(**parts), trusted_proxies=[PROXY])
            app.router.add_route("*", "/{path:.*}", page)
            return app

        return serving(make)


async def login(request: web.Request) -> web.StreamResponse:
    (await get_session(request)).sign_in("alice")
    raise web.HTTPFound("/me")  # a redirect is raised in aiohttp


async def me(request: web.Request) -> web.Response:
    return web.json_response((await get_session(request)).require_subject())


async def cart(request: web.Request) -> web.Response:
    return web.json_response(dict(session_of(request)))


async def never_looks(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def gone(request: web.Request) -> web.StreamResponse:
    session_of(request)["half"] = "done"
    raise web.HTTPServiceUnavailable


async def nothing(request: web.Request) -> web.StreamResponse:
    session_of(request)["half"] = "done"
    return cast("web.StreamResponse", None)


async def stream(request: web.Request) -> web.StreamResponse:
    session_of(request)["streamed"] = True
    response = web.StreamResponse()
    if "zip" in request.query:
        response.enable_compression()
    if "length" in request.query:
        response.content_length = 3
    try:
        await response.prepare(request)
    except StoreUnavailable:
        if "deaf" not in request.query:
            raise
        if "again" in request.query:
            await response.prepare(request)
        if "on" not in request.query:
            return web.Response(text="all is well")
    await response.write(b"one")
    if "late" in request.query:
        session_of(request)["late"] = True
    return response


async def generated(request: web.Request) -> web.Response:
    session = session_of(request)
    session["generated"] = True

    async def chunks() -> AsyncGenerator[bytes]:
        yield b"one "
        session["late"] = True
        yield b"two"

    return web.Response(body=chunks())


async def chat(request: web.Request) -> web.WebSocketResponse:
    session, sessions = session_of(request), request.app[SESSIONS]
    session.setdefault("chats", 0)
    if "signed-in" in request.query:
        session.require_subject()
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        session["said"] = message.data
        if message.data != "unsaved":
            await sessions.commit(session)
        await socket.send_str("heard")
    return socket


async def other_socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_json(session_of(request))
    await socket.close()
    return socket


SESSIONS = web.AppKey("sessions", Sessions)
HANDLERS = [login, me, cart, never_looks, gone, nothing, stream, generated, chat, other_socket]


def shop_of(shop: Shop, **settings: Any) -> web.Application:
    app = web.Application()
    app[SESSIONS] = shop.sessions
    setup(app, shop.sessions, development=True, **settings)
    app.add_routes([web.get(f"/{handler.__name__}", handler) for handler in HANDLERS])
    return app


@asynccontextmanager
async def browsing(app: web.Application) -> AsyncGenerator[Browser]:
    """A browser of an application, with the cookies of development."""
    async with Browser(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


async def test_a_redirect_after_the_login_hands_the_cookie_over() -> None:
    """Fails when only what is returned is a response."""
    async with browsing(shop_of(Shop())) as browser:
        assert (await browser.get("/me")).status == 401
        reply = await browser.get("/login", allow_redirects=False)
        assert (reply.status, reply.headers["Location"]) == (302, "/me")
        assert reply.headers["Cache-Control"] == "no-store"
        assert await (await browser.get("/me")).json() == "alice"


async def test_a_raised_failure_changes_nothing() -> None:
    async with browsing(shop_of(Shop())) as browser:
        await browser.get("/login")
        assert (await browser.get("/gone")).status == 503
        assert (await browser.get("/nothing")).status == 500
        assert await (await browser.get("/cart")).json() == {}


@pytest.mark.parametrize(
    "query", ["", "zip", "length", "zip&length", "deaf", "deaf&on", "deaf&again"]
)
async def test_a_stream_that_cannot_be_saved_does_not_start(query: str) -> None:
    """Fails, with a body cut short or framed wrongly, when aiohttp's writer is left as it was."""
    shop = Shop()
    async with browsing(shop_of(shop)) as browser:
        await browser.get("/login")
        shop.spy.down = {"save"}
        for path in (f"/stream?{query}", "/generated"):
            reply = await browser.get(path)
            assert (reply.status, reply.headers["Retry-After"]) == (503, "2")
            assert "unavailable" in (await reply.json())["error"]
            assert "Set-Cookie" not in reply.headers
        shop.spy.mends()
        assert await (await browser.get("/cart")).json() == {}
        assert await (await browser.get(f"/stream?{query}")).read() == b"one"
        assert await (await browser.get("/cart")).json() == {"streamed": True}


@pytest.mark.parametrize("path", ["/stream?late", "/generated"])
async def test_what_changes_while_a_body_is_made_is_reported(path: str) -> None:
    shop = Shop()
    async with browsing(shop_of(shop)) as browser:
        reply = await browser.get(path)
        assert "anon" in reply.cookies
        assert (await reply.text()).startswith("one")
        assert (await browser.get("/cart")).status == 200
    assert shop.unsaved == 1


async def test_a_socket_is_committed_when_it_is_prepared_and_by_hand_then() -> None:
    shop = Shop()
    async with browsing(shop_of(shop)) as browser:
        async with browser.ws_connect("/chat") as socket:
            assert "anon" in browser.session.cookie_jar.filter_cookies(browser.make_url("/"))
            for said in ("one", "unsaved"):
                await socket.send_str(said)
                assert await socket.receive_str() == "heard"
        assert await (await browser.get("/cart")).json() == {"chats": 0, "said": "one"}
    assert shop.unsaved == 1


async def test_a_socket_may_look_for_the_first_time_when_it_is_open() -> None:
    app = shop_of(Shop())
    async with browsing(app) as browser, browser.ws_connect("/other_socket") as socket:
        assert await socket.receive_json() == {}


async def test_a_socket_is_refused_as_a_request_is() -> None:
    shop = Shop()
    async with browsing(shop_of(shop)) as browser:
        with pytest.raises(WSServerHandshakeError) as refused:
            await browser.ws_connect("/chat?signed-in")
        assert refused.value.status == 401
        shop.spy.down = {"save"}
        with pytest.raises(WSServerHandshakeError) as refused:
            await browser.ws_connect("/chat")
        assert refused.value.status == 503


async def test_the_shutdown_writes_what_waits() -> None:
    shop = Shop()
    async with browsing(shop_of(shop)) as browser:
        await browser.get("/login")
        shop.clock.move(minutes=5)
        await browser.get("/cart")
    assert (await shop.sessions.list("alice"))[0].seen_at.timestamp() * 1000 == shop.clock.ms


async def test_polls_are_no_activity() -> None:
    shop = Shop()
    async with browsing(shop_of(shop, passive=["/cart"])) as browser:
        await browser.get("/login")
        seen_at = (await shop.sessions.list("alice"))[0].seen_at
        shop.clock.move(minutes=5)
        await browser.get("/cart")
    assert (await shop.sessions.list("alice"))[0].seen_at == seen_at


async def test_an_end_holds_though_the_client_hung_up() -> None:
    """Fails when a handler that is cancelled leaves no time for it."""
    shop = Shop()
    session = await shop.sessions.open(None)
    session.sign_in("alice")
    token = (await shop.sessions.commit(session)).token
    assert token is not None
    app = web.Application()
    setup(app, shop.sessions)
    headers = {"Cookie": f"__Host-sid={token.reveal()}"}
    request = make_mocked_request("GET", "/", headers, app=app, sslcontext=create_default_context())

    async def handler(request: web.Request) -> web.StreamResponse:
        session_of(request).end()
        raise asyncio.CancelledError

    middleware: Any = app.middlewares[0]
    with pytest.raises(asyncio.CancelledError):
        await middleware(request, handler)
    assert await shop.sessions.count() == 0


async def test_a_sub_application_has_the_session_and_none_of_its_own() -> None:
    shop = Shop()
    app, part = shop_of(shop), web.Application()
    part.router.add_get("/me", me)
    app.add_subapp("/part", part)
    async with browsing(app) as browser:
        await browser.get("/login")
        assert await (await browser.get("/part/me")).json() == "alice"
    app, part = shop_of(shop), shop_of(shop)
    app.add_subapp("/part", part)
    async with browsing(app) as browser:
        assert (await browser.get("/part/never_looks")).status == 500


async def test_without_sessions_one_is_told_what_to_call() -> None:
    app = web.Application()
    request = make_mocked_request("GET", "/", app=app)
    with pytest.raises(RuntimeError, match=r"call coatcheck.web.aiohttp.setup\(app, sessions\)"):
        await get_session(request)
