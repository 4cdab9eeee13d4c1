"""A small shop, and whatever handlers a test brings along."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from coatcheck import Sessions
from coatcheck.web.asgi import SessionMiddleware, session_of

Handler = Callable[[Request], Awaitable[Response]]


def shop(sessions: Sessions, *more: Handler, **settings: Any) -> Starlette:
    """Return the shop; each handler is at the path of its name, for GET and POST."""
    handlers = [login, me, write, read, logout, never_looks, stream, error, *more]
    return Starlette(
        routes=[Route(f"/{h.__name__}", h, methods=["GET", "POST"]) for h in handlers],
        middleware=[Middleware(SessionMiddleware, sessions=sessions, **settings)],
    )


async def login(request: Request) -> Response:
    session_of(request).sign_in(request.query_params.get("as", "alice"))
    return PlainTextResponse("welcome")


async def me(request: Request) -> Response:
    session = session_of(request)
    return JSONResponse({"subject": session.require_subject(), "address": session.client.address})


async def write(request: Request) -> Response:
    session_of(request).update(request.query_params or {"cart": "hat"})
    return PlainTextResponse("written")


async def read(request: Request) -> Response:
    return JSONResponse(dict(session_of(request)))


async def logout(request: Request) -> Response:
    session_of(request).end()
    return Response(status_code=204)


async def never_looks(_: Request) -> Response:
    return PlainTextResponse("hello, whoever you are")


async def stream(request: Request) -> Response:
    session_of(request)["streamed"] = True
    return StreamingResponse(iter(["one ", "two ", "three"]))


async def error(request: Request) -> Response:
    session = session_of(request)
    session["half"] = "done"
    if "end" in request.query_params:
        session.end()
    if status := request.query_params.get("status"):
        return PlainTextResponse("sorry", int(status))
    raise RuntimeError("a bug in the application")
