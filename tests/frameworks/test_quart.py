"""Quart, by its own session interface."""

from typing import Any

from quart import Quart, Response, request

from coatcheck import Sessions
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages
from coatcheck.web.quart import SessionInterface, session_of


class TestQuart(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        app = Quart(__name__)
        SessionInterface(app, Sessions(**parts))

        @app.route("/<path:path>")
        async def page(path: str) -> Response:
            query = request.query_string.decode()
            page = await pages.answer_async(f"/{path}", query, session_of)
            if page.chunks:
                return Response(page.chunks())
            return Response(page.body, page.status)

        return AsgiDriver(app)
