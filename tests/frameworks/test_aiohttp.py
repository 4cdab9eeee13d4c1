"""aiohttp's own server."""

from typing import Any

from aiohttp import web

from coatcheck import Sessions
from coatcheck.testing import BrowserContract, Driver, Pages
from coatcheck.web.aiohttp import session_of, setup
from tests.frameworks.aiohttp_server import PROXY, serving


class TestAiohttp(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        async def page(request: web.Request) -> web.StreamResponse:
            query = request.query_string
            page = await pages.answer_async(request.path, query, lambda: session_of(request))
            if page.chunks:
                stream = web.StreamResponse()
                await stream.prepare(request)
                for chunk in page.chunks():
                    await stream.write(chunk.encode())
                return stream
            return web.Response(text=page.body, status=page.status)

        def make() -> web.Application:
            app = web.Application()
            setup(app, Sessions(**parts), trusted_proxies=[PROXY])
            app.router.add_get("/{path:.*}", page)
            return app

        return serving(make)
