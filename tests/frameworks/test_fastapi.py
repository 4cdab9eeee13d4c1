"""FastAPI, on the ASGI middleware, with its dependencies."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from coatcheck import Sessions
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages
from coatcheck.web.asgi import SessionMiddleware, session_of


class TestFastAPI(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        app = FastAPI()
        app.add_middleware(SessionMiddleware, sessions=Sessions(**parts))

        @app.get("/{path:path}")
        async def page(request: Request) -> Response:
            url = request.url
            page = await pages.answer_async(url.path, url.query, lambda: session_of(request))
            if page.chunks:
                return StreamingResponse(page.chunks())
            return Response(page.body, page.status)

        return AsgiDriver(app)
