"""An application that had Starlette's or starsessions' sessions before."""

# part: app
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coatcheck import Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of

sessions = Sessions(store_from_url("sqlite:///shop.db"))


async def login(request: Request) -> Response:
    session_of(request).sign_in("alice")  # was: request.session["user"] = "alice"
    return JSONResponse("welcome")


async def me(request: Request) -> Response:
    user = session_of(request).require_subject()  # was: request.session["user"]
    return JSONResponse(user)


async def add(request: Request) -> Response:
    request.session.setdefault("cart", []).append("hat")  # stays
    return JSONResponse(request.session["cart"])


async def logout(request: Request) -> Response:
    session_of(request).end()  # was: request.session.clear()
    return JSONResponse("bye")


app = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/me", me),
        Route("/cart", add, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
    ],
    middleware=[Middleware(SessionMiddleware, sessions=sessions, development=True)],
)
# end part
