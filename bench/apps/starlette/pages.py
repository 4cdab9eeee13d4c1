"""The requests that are measured, written once for all applications that are Starlette's."""

import asyncio
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bench import data


def increase(request: Request) -> None:
    """Count as any application would, by an assignment."""
    request.session["n"] = request.session.get("n", 0) + 1


def no_login(request: Request, user: str) -> None:
    """The user is in the data already; only coatcheck has a login of its own."""


async def read(request: Request) -> Response:
    return PlainTextResponse(request.session["preferences"]["currency"])


async def write(request: Request) -> Response:
    increase(request)
    return PlainTextResponse("written")


async def anonymous(request: Request) -> Response:
    return PlainTextResponse("somebody" if "user" in request.session else "nobody")


async def counter(request: Request) -> Response:
    return PlainTextResponse(str(request.session["n"]))


async def add(request: Request) -> Response:
    cart = request.session["survivors"]
    await asyncio.sleep(0.005)
    cart[request.path_params["item"]] = 1
    request.session["survivors"] = cart  # Starlette's own would not notice a nested change
    return PlainTextResponse("added")


async def empty(request: Request) -> Response:
    request.session["survivors"] = {}
    request.session["n"] = 0
    return PlainTextResponse("started")


async def cart(request: Request) -> Response:
    return JSONResponse(sorted(request.session["survivors"]))


def application(
    *middleware: Middleware,
    increase_exactly: Callable[[Request], None] = increase,
    login: Callable[[Request, str], None] = no_login,
) -> Starlette:
    """Return the application.

    Args:
        increase_exactly: counts when requests meet, if the library has a way to.
        login: tells the library who the session belongs to, if it wants to know.
    """

    async def fill(request: Request) -> Response:
        content = data.session(request.path_params["number"])
        request.session.update(content)
        login(request, content["user"])
        return PlainTextResponse("filled")

    async def hot(request: Request) -> Response:
        increase_exactly(request)
        return PlainTextResponse("written")

    async def count(request: Request) -> Response:
        _ = request.session["n"]
        await asyncio.sleep(0.005)
        increase_exactly(request)
        return PlainTextResponse("counted")

    routes: Sequence[Route] = (
        Route("/read", read),
        Route("/write", write),
        Route("/anonymous", anonymous),
        Route("/hot", hot),
        Route("/counter", counter),
        Route("/fill/{number:int}", fill),
        Route("/empty", empty),
        Route("/add/{item}", add),
        Route("/count", count),
        Route("/cart", cart),
    )
    return Starlette(routes=routes, middleware=middleware)
