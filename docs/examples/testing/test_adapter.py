"""The test of an adapter: here the one for WSGI."""

from collections.abc import Iterable
from http.client import responses
from typing import Any

from coatcheck import BlockingSessions
from coatcheck.testing import BrowserContract, Driver, Pages, WsgiDriver
from coatcheck.web.wsgi import SessionMiddleware, session_of


# part: contract
class TestMyAdapter(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
            page = pages.answer(path, query, lambda: session_of(environ))
            start_response(f"{page.status} {responses[page.status]}", [])
            if page.chunks:
                return (chunk.encode() for chunk in page.chunks())
            return [page.body.encode()]

        return WsgiDriver(SessionMiddleware(app, sessions=BlockingSessions(**parts)))


# end part
