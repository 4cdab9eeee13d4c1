"""The shop as a Django site: `request.session` is the session that the other servers know."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.static import serve

from coatcheck import BlockingSessions
from coatcheck.web import CookieTransport
from coatcheck.web.django import session_of
from examples.shop.access import make_issuer
from examples.shop.app import LOOPBACK, PAGE, PAGE_HEADERS
from examples.shop.blocking import Call, answer
from examples.shop.clock import ShopClock
from examples.shop.served_by import HEADER


def create_app(
    name: str, sessions: BlockingSessions, *, clock: ShopClock | None = None
) -> Callable[..., Any]:
    """Build server `name` over `sessions`; `clock` is the shop's own time, where that moves.

    Django's settings are those of a process, so one process has one such server.
    """

    issuer = make_issuer(clock)

    def page(_: HttpRequest) -> HttpResponseBase:
        return FileResponse((PAGE / "index.html").open("rb"), headers=PAGE_HEADERS)

    def route(request: HttpRequest, route: str) -> HttpResponse:
        call = Call(lambda: session_of(request), request.body, sessions, name, clock, issuer)
        reply = answer(request.method or "", f"/{route}", call)
        return HttpResponse(reply.json, content_type="application/json", status=reply.status)

    urls: Any = ModuleType("urls")
    urls.urlpatterns = [
        path("", page),
        path("page/<path:path>", serve, {"document_root": PAGE}),
        path("<path:route>", route),
    ]
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        COATCHECK={
            "sessions": sessions,
            "transport": CookieTransport(same_site="Strict"),
            "development": True,  # plain http on loopback; a shop on the internet leaves this out
            "trusted_proxies": LOOPBACK,
        },
        LOGGING_CONFIG=None,
        MIDDLEWARE=["coatcheck.web.django.middleware.SessionMiddleware"],
        ROOT_URLCONF=urls,
        SESSION_ENGINE="coatcheck.web.django.engine",
    )
    django.setup()
    return _marked(get_wsgi_application(), name)


def _marked(app: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Name the server on every response."""

    def marked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, (HEADER, name)], *more)

        return app(environ, start)

    return marked
