"""Django on Redis: by threads, and by an event loop that functions in threads share."""

import uuid
from typing import Any, cast

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from coatcheck import BlockingSessions, Sessions, store_from_url
from coatcheck.testing import AsgiDriver, Driver, WsgiDriver
from coatcheck.web.django import asession_of, session_of
from tests.frameworks.django_site import OUR_SESSIONS, site
from tests.servers import Server


def add(request: HttpRequest) -> HttpResponse:
    session = session_of(request)
    if session.subject is None:
        session.sign_in("alice")
    cart = request.session.setdefault("cart", {})
    cart[request.META["QUERY_STRING"]] = 1
    request.session.save()
    return JsonResponse(cart)


async def aadd(request: HttpRequest) -> HttpResponse:
    session = await asession_of(request)
    if session.subject is None:
        session.sign_in("alice")
    session.setdefault("cart", {})[request.META["QUERY_STRING"]] = 1
    await request.session.asave()
    return JsonResponse(session["cart"])


def shop_in(driver: Driver, *paths: str) -> Any:
    """Put something in by each of the pages, and return the cart that the last one shows."""
    headers: dict[str, str] = {}
    cart: Any = None
    for number, page in enumerate(paths):
        reply = driver.send("GET", f"/{page}?{number}", headers)
        assert reply.status == 200
        for cookie in reply.all("set-cookie"):
            headers["Cookie"] = cookie.partition(";")[0]
        cart = reply.json()
    return cart


@pytest.mark.parametrize("way", ["wsgi", "asgi", "asyncio"])
def test_functions_and_coroutines_share_a_session(redis: Server, way: str) -> None:
    url = f"redis://127.0.0.1:{redis.port}/0?prefix={uuid.uuid4().hex}"
    sessions: Sessions | BlockingSessions = BlockingSessions(store_from_url(url, blocking=True))
    if way == "asyncio":
        sessions = Sessions(store_from_url(url))

    async def close(request: HttpRequest) -> HttpResponse:
        """Where the event loop is."""
        if isinstance(sessions, Sessions):
            await sessions.close()
        else:
            sessions.close()
        return HttpResponse("{}")

    pages = [path(page.__name__, page) for page in (add, aadd, close)]
    with site(*pages, COATCHECK={"sessions": sessions}, MIDDLEWARE=[OUR_SESSIONS]):
        wsgi = way == "wsgi"
        driver = WsgiDriver(WSGIHandler()) if wsgi else AsgiDriver(cast("Any", ASGIHandler()))
        try:
            cart = shop_in(driver, "add", "aadd", "add", "aadd")
            shop_in(driver, "close")
        finally:
            driver.close()
    assert cart == {"0": 1, "1": 1, "2": 1, "3": 1}
