"""Litestar, by a plugin."""

from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.response import Stream

from coatcheck import Sessions
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages
from coatcheck.web.litestar import SessionPlugin, session_of

AnyRequest = Request[Any, Any, Any]


class TestLitestar(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        @get("/{path:path}")
        async def page(request: AnyRequest) -> Response[Any]:
            url = request.url
            page = await pages.answer_async(url.path, url.query, lambda: session_of(request))
            if page.chunks:
                return Stream(page.chunks())
            return Response(page.body.encode(), status_code=page.status)

        app = Litestar([page], plugins=[SessionPlugin(Sessions(**parts))])
        return AsgiDriver(app)
