"""Starlette: run `uvicorn starlette_app:app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from coatcheck import Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of

sessions = Sessions(store_from_url("sqlite:///shop.db"))


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    yield
    await sessions.close()


async def login(request: Request) -> Response:
    session_of(request).sign_in("alice")  # check the password first
    return RedirectResponse("/cart", 303)


async def cart(request: Request) -> Response:
    request.session.setdefault("looks", []).append(request.url.path)  # a dict as ever
    return JSONResponse({"of": session_of(request).require_subject(), **request.session})


async def logout(request: Request) -> Response:
    session_of(request).end()
    return Response(status_code=204)


app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/cart", cart),
        Route("/logout", logout, methods=["POST"]),
    ],
    middleware=[Middleware(SessionMiddleware, sessions=sessions, development=True)],
    lifespan=lifespan,
)
