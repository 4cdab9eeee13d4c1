"""aiohttp: run `python aiohttp_app.py`."""

# part: app
from aiohttp import web

from coatcheck import Sessions, store_from_url
from coatcheck.web.aiohttp import get_session, setup

SESSIONS = web.AppKey("sessions", Sessions)
routes = web.RouteTableDef()


@routes.post("/login")
async def login(request: web.Request) -> web.Response:
    session = await get_session(request)
    session.sign_in("alice")  # check the password first
    raise web.HTTPSeeOther("/me")


@routes.get("/me")
async def me(request: web.Request) -> web.Response:
    session = await get_session(request)
    return web.json_response(session.require_subject())


@routes.post("/cart")
async def put(request: web.Request) -> web.Response:
    session = await get_session(request)
    session.setdefault("cart", {})["hats"] = 1
    return web.json_response(session["cart"])


@routes.post("/logout")
async def logout(request: web.Request) -> web.Response:
    (await get_session(request)).end()
    return web.Response(status=204)


async def close(app: web.Application) -> None:
    await app[SESSIONS].close()


def make_app() -> web.Application:
    app = web.Application()
    app[SESSIONS] = Sessions(store_from_url("sqlite:///shop.db"))
    setup(app, app[SESSIONS], development=True)
    app.on_cleanup.append(close)
    app.add_routes(routes)
    return app


# end part
# part: websocket
@routes.get("/chat")
async def chat(request: web.Request) -> web.WebSocketResponse:
    session = await get_session(request)
    session.require_subject()  # refuses the handshake of a visitor
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        session["draft"] = message.data
        await request.app[SESSIONS].commit(session)
        await socket.send_str("saved")
    return socket


# end part

if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1")
