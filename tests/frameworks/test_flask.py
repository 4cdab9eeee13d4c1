"""Flask, by its own session interface."""

from typing import Any

from flask import Flask, Response, request

from coatcheck import BlockingSessions
from coatcheck.testing import BrowserContract, Driver, Pages, WsgiDriver
from coatcheck.web.flask import SessionInterface, session_of


class TestFlask(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        app = Flask(__name__)
        app.session_interface = SessionInterface(app, BlockingSessions(**parts))

        @app.route("/<path:path>")
        def page(path: str) -> Response:
            page = pages.answer(f"/{path}", request.query_string.decode(), session_of)
            if page.chunks:
                return Response(page.chunks())
            return Response(page.body, page.status)

        return WsgiDriver(app)
