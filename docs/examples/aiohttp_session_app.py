"""An application that is written for aiohttp_session: run `python aiohttp_session_app.py`."""

from aiohttp import web
from aiohttp_session import get_session, new_session

from coatcheck import Sessions, store_from_url
from coatcheck.web.aiohttp import session_of
from coatcheck.web.aiohttp_session import setup

routes = web.RouteTableDef()


@routes.post("/login")
async def login(request: web.Request) -> web.Response:
    session = await new_session(request)  # the old one is over
    session["name"] = "Alice"
    session_of(request).sign_in("alice")  # the one line to add: whose session it is
    return web.Response(text="welcome")


@routes.get("/name")
async def name(request: web.Request) -> web.Response:
    session = await get_session(request)
    return web.json_response(session.get("name"))


@routes.post("/logout")
async def logout(request: web.Request) -> web.Response:
    (await get_session(request)).invalidate()
    return web.Response(text="goodbye")


def make_app() -> web.Application:
    app = web.Application()
    sessions = Sessions(store_from_url("sqlite:///shop.db"))
    setup(app, sessions, development=True)  # in place of aiohttp_session.setup(app, storage)
    app.add_routes(routes)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1")
