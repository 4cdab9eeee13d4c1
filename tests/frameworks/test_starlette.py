"""Starlette, on the ASGI middleware."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from coatcheck import Sessions
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages
from coatcheck.web.asgi import SessionMiddleware, session_of


class TestStarlette(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        async def page(request: Request) -> Response:
            url = request.url
            page = await pages.answer_async(url.path, url.query, lambda: session_of(request))
            if page.chunks:
                return StreamingResponse(page.chunks())
            return Response(page.body, page.status)

        app = Starlette(routes=[Route("/{path:path}", page, methods=["GET", "POST"])])
        app.add_middleware(SessionMiddleware, sessions=Sessions(**parts))
        return AsgiDriver(app)
