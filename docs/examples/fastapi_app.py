"""FastAPI: run `uvicorn fastapi_app:app`."""

# part: app
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, WebSocket

from coatcheck import Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.fastapi import CurrentSession, CurrentUser

sessions = Sessions(store_from_url("sqlite:///shop.db"))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    yield
    await sessions.close()


app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, sessions=sessions, development=True)


@app.post("/login/{name}")
async def login(name: str, session: CurrentSession) -> None:
    session.sign_in(name)  # check the password first


@app.get("/me")
async def me(user: CurrentUser) -> str:
    return user  # a visitor was answered 401


@app.put("/cart/{item}")
async def put(item: str, session: CurrentSession) -> dict[str, Any]:
    session.setdefault("cart", {})[item] = 1
    return session


@app.post("/logout")
async def logout(session: CurrentSession) -> None:
    session.end()


# end part
# part: websocket
@app.websocket("/chat")
async def chat(socket: WebSocket, user: CurrentUser, session: CurrentSession) -> None:
    await socket.accept()  # a visitor did not get here
    async for text in socket.iter_text():
        session["draft"] = text
        await sessions.commit(session)
        await socket.send_text(f"{user}: {text}")


# end part
