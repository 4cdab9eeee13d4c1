"""What is written for aiohttp_session, with coatcheck's sessions."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp_session import get_session, new_session

from coatcheck.web import aiohttp
from coatcheck.web.aiohttp_session import setup
from tests.frameworks.shop import Shop

# aiohttp_session keeps what it knows of a request under texts, of which aiohttp warns.
pytestmark = pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")

Browser = TestClient[web.Request, web.Application]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def browsing(shop: Shop, *handlers: Handler) -> AsyncGenerator[Browser]:
    app = web.Application()
    setup(app, shop.sessions, development=True)
    for handler in (read, *handlers):
        app.router.add_get(f"/{handler.__name__}", handler)
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


async def read(request: web.Request) -> web.Response:
    session = await get_session(request)
    return web.json_response([session.new, session.identity, dict(session)])


async def put(request: web.Request) -> web.Response:
    session = await get_session(request)
    session["cart"] = {"hats": 1}
    return web.Response()


async def nested(request: web.Request) -> web.Response:
    session = await get_session(request)
    session["cart"]["hats"] += 1  # without `session.changed()`
    return web.Response()


async def end(request: web.Request) -> web.Response:
    (await get_session(request)).invalidate()
    return web.Response()


async def begin(request: web.Request) -> web.Response:
    session = await new_session(request)
    session["user"] = "alice"
    assert await get_session(request) is session
    aiohttp.session_of(request).sign_in("alice")
    return web.Response()


async def kept(request: web.Request) -> web.Response:
    session = await get_session(request)
    session["kept"] = True
    session.max_age = 3600
    return web.Response()


async def nonsense(request: web.Request) -> web.Response:
    session = await get_session(request)
    with pytest.raises(ValueError, match="call invalidate"):
        session.max_age = 0
    with pytest.raises(RuntimeError, match="makes its tokens itself"):
        session.set_new_identity("fixed by somebody")
    return web.Response()


async def stream(request: web.Request) -> web.StreamResponse:
    session = await get_session(request)
    session["streamed"] = True
    response = web.StreamResponse()
    await response.prepare(request)
    return response


async def found(browser: Browser) -> Any:
    return await (await browser.get("/read")).json()


async def test_what_is_put_in_is_saved_nested_changes_included() -> None:
    shop = Shop()
    async with browsing(shop, put, nested) as browser:
        assert await found(browser) == [True, None, {}]
        reply = await browser.get("/put")
        token = reply.cookies["anon"].value
        await browser.get("/nested")
        new, identity, data = await found(browser)
        assert (new, data) == (False, {"cart": {"hats": 2}})
        assert identity is not None
        assert identity != token
        assert token.startswith(f"{identity}."), "the public part, which opens nothing"


async def test_an_invalidated_session_is_over_for_everybody() -> None:
    shop = Shop()
    async with browsing(shop, put, end) as browser:
        await browser.get("/put")
        await browser.get("/end")
        assert await shop.sessions.count() == 0
        assert await found(browser) == [True, None, {}]


async def test_a_new_session_has_another_token_and_nothing_of_the_old_one() -> None:
    """Against fixation: the old session must not go on, nor its data be taken along."""
    shop = Shop()
    async with browsing(shop, put, begin) as browser:
        await browser.get("/put")
        old = (await found(browser))[1]
        await browser.get("/begin")
        _, identity, data = await found(browser)
        assert data == {"user": "alice"}
        assert identity != old
        assert [info.id for info in await shop.sessions.list("alice")] == [identity]
        assert await shop.sessions.count() == 1


async def test_the_age_is_the_cookies() -> None:
    shop = Shop()
    async with browsing(shop, kept, nonsense) as browser:
        assert (await browser.get("/kept")).cookies["anon"]["max-age"] == "3600"
        assert (await browser.get("/nonsense")).status == 200


async def test_a_stream_is_saved_too() -> None:
    shop = Shop()
    async with browsing(shop, stream) as browser:
        await browser.get("/stream")
        assert (await found(browser))[2] == {"streamed": True}


async def test_an_outage_is_answered() -> None:
    shop = Shop()
    async with browsing(shop, put) as browser:
        await browser.get("/put")
        shop.spy.breaks()
        assert (await browser.get("/read")).status == 503
