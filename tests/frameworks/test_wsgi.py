"""Any WSGI application: a bare one, Bottle, Pyramid."""

import warnings
from collections.abc import Iterable
from http.client import responses
from typing import Any

import bottle

from coatcheck import BlockingSessions
from coatcheck.testing import BrowserContract, Driver, Pages, WsgiDriver
from coatcheck.web.wsgi import SessionMiddleware, session_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it imports what Python and setuptools are about to drop
    from pyramid.config import Configurator
    from pyramid.request import Request
    from pyramid.response import Response


class TestBare(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
            page = pages.answer(path, query, lambda: session_of(environ))
            start_response(f"{page.status} {responses[page.status]}", [])
            if page.chunks:
                return (chunk.encode() for chunk in page.chunks())
            return [page.body.encode()]

        return WsgiDriver(SessionMiddleware(app, sessions=BlockingSessions(**parts)))


class TestBottle(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        app = bottle.Bottle()
        app.catchall = False  # the middleware answers the session's errors, the server all others

        def page(path: str) -> Any:
            environ = bottle.request.environ
            page = pages.answer(f"/{path}", environ["QUERY_STRING"], lambda: session_of(environ))
            if page.chunks:
                return page.chunks()
            return bottle.HTTPResponse(page.body, page.status)

        app.route("/<path:path>", method=["GET", "POST"], callback=page)
        return WsgiDriver(SessionMiddleware(app, sessions=BlockingSessions(**parts)))


class TestPyramid(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        def page(request: Request) -> Response:
            page = pages.answer(request.path, request.query_string, lambda: request.session)
            if page.chunks:
                return Response(app_iter=(chunk.encode() for chunk in page.chunks()))
            return Response(page.body, page.status)

        config = Configurator()
        config.set_session_factory(lambda request: session_of(request.environ))
        config.add_route("page", "/*path")
        config.add_view(page, route_name="page")
        app = config.make_wsgi_app()
        return WsgiDriver(SessionMiddleware(app, sessions=BlockingSessions(**parts)))
