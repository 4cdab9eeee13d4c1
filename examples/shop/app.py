"""The shop as one FastAPI app: the middleware brings the session, each file of routes uses it."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from coatcheck import Sessions
from coatcheck.web import CookieTransport
from coatcheck.web.asgi import SessionMiddleware
from examples.shop import access, account, answers, cart, devices, step_up, storefront
from examples.shop.served_by import ServedBy

Clock = Callable[[], int]

PAGE: Final = Path(__file__).parent / "page"
LOOPBACK: Final = ("127.0.0.1", "::1")


def create_app(name: str, sessions: Sessions, *, clock: Clock | None = None) -> FastAPI:
    """Build server `name` over `sessions`, closed with the app; `clock` gives UTC milliseconds."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        yield
        await sessions.close()

    app = FastAPI(title="Hook & Hanger", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.name = name
    app.state.sessions = sessions
    app.state.clock = clock or _system_clock
    app.state.time_moves = clock is not None
    app.state.issuer = access.make_issuer(clock)
    for routes in (access, account, cart, devices, step_up, storefront):
        app.include_router(routes.router)
    answers.install(app)
    app.add_api_route("/health", _health)
    app.add_api_route("/", _page, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    _add_middleware(app, name, sessions)
    return app


def _add_middleware(app: FastAPI, name: str, sessions: Sessions) -> None:
    """Wrap the app; what is added last sees the request first."""
    app.add_middleware(
        SessionMiddleware,
        sessions=sessions,
        transport=CookieTransport(same_site="Strict"),
        development=True,  # plain http on loopback; a shop on the internet leaves this out
        trusted_proxies=LOOPBACK,
    )
    app.add_middleware(ServedBy, name=name)


async def _health() -> dict[str, str]:
    """Say that this server is up; looks at no session, so it costs the store nothing."""
    return {"status": "ok"}


async def _page() -> FileResponse:
    return FileResponse(PAGE / "index.html", headers=PAGE_HEADERS)


PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def _system_clock() -> int:
    return time.time_ns() // 1_000_000
