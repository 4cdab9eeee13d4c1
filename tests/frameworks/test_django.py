"""Django, by its own engine and middleware, under WSGI and ASGI."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from coatcheck import BlockingSessions, Sessions
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages, WsgiDriver
from coatcheck.testing.pages import Page
from coatcheck.web.django import asession_of, session_of
from tests.frameworks.django_site import OUR_SESSIONS, site


class Until:
    """A driver whose site's settings hold until it is closed."""

    def __init__(self, make: Callable[[], Driver], *pages: Any, **changes: Any) -> None:
        self._settings = ExitStack()
        self._settings.enter_context(site(*pages, MIDDLEWARE=[OUR_SESSIONS], **changes))
        self._driver = make()
        self.send = self._driver.send

    def close(self) -> None:
        self._driver.close()
        self._settings.close()


def response_to(page: Page, *, in_a_loop: bool = False) -> HttpResponseBase:
    if page.chunks:
        chunks = page.chunks()
        return StreamingHttpResponse(as_async(chunks) if in_a_loop else chunks)
    return HttpResponse(page.body, status=page.status)


async def as_async(chunks: Iterator[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk


def in_thread(pages: Pages, *, in_a_loop: bool = False) -> Any:
    def view(request: HttpRequest, rest: str) -> HttpResponseBase:
        query = request.META["QUERY_STRING"]
        page = pages.answer(request.path, query, lambda: session_of(request))
        return response_to(page, in_a_loop=in_a_loop)

    return path("<path:rest>", view)


def in_loop(pages: Pages) -> Any:
    async def view(request: HttpRequest, rest: str) -> HttpResponseBase:
        query = request.META["QUERY_STRING"]
        if request.path != "/hello":
            await asession_of(request)
        page = await pages.answer_async(request.path, query, lambda: session_of(request))
        return response_to(page, in_a_loop=True)

    return path("<path:rest>", view)


class TestWsgi(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        options = {"sessions": BlockingSessions(**parts)}
        return Until(lambda: WsgiDriver(WSGIHandler()), in_thread(pages), COATCHECK=options)


class TestAsgi(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        options = {"sessions": Sessions(**parts)}
        return Until(lambda: AsgiDriver(ASGIHandler()), in_loop(pages), COATCHECK=options)


class TestThreadsUnderAsgi(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        options = {"sessions": BlockingSessions(**parts)}
        view = in_thread(pages, in_a_loop=True)
        return Until(lambda: AsgiDriver(ASGIHandler()), view, COATCHECK=options)
