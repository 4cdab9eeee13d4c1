"""Quart: run `hypercorn quart_app:app`."""

# part: app
from quart import Quart, session, websocket

from coatcheck import Sessions, store_from_url
from coatcheck.web.quart import SessionInterface, session_of

sessions = Sessions(store_from_url("sqlite:///shop.db"))
app = Quart(__name__)
SessionInterface(app, sessions, development=True)
app.after_serving(sessions.close)


@app.post("/login")
async def login() -> str:
    session_of().sign_in("alice")  # check the password first
    return "welcome"


@app.get("/me")
async def me() -> str:
    return session_of().require_subject()


@app.post("/cart")
async def put() -> dict[str, int]:
    session.setdefault("cart", {})["hats"] = 1  # Quart's own `session`
    cart: dict[str, int] = session["cart"]
    return cart


@app.post("/logout")
async def logout() -> str:
    session_of().end()
    return "goodbye"


# end part
# part: websocket
@app.websocket("/chat")
async def chat() -> None:
    session = session_of()
    session.require_subject()  # refuses the handshake of a visitor
    while True:
        session["draft"] = await websocket.receive()
        await sessions.commit(session)
        await websocket.send("saved")


# end part
