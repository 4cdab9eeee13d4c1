"""The shop of deploy/, with routes that tell what arrives and wait as long as a test wants."""

import asyncio
import os
from typing import Any

from fastapi import Request, Response, WebSocket

from coatcheck.web.asgi import session_of
from deploy.shop import app

__all__ = ["app"]

BIG = "x" * 4000


@app.get("/headers")
async def headers(request: Request) -> dict[str, Any]:
    received = [(name.decode(), value.decode()) for name, value in request.headers.raw]
    return {"received": received, "scheme": request.url.scheme}


@app.api_route("/stall", methods=["GET", "POST"])
async def stall(request: Request) -> dict[str, str]:
    """Tell the test which server has this request; when the test hangs up, count it and go on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(os.environ["GATE"]))
    writer.write(f"{os.environ['SERVER']}\n".encode())
    await reader.read()
    writer.close()
    session_of(request).edit(_one_more)
    return {"server": os.environ["SERVER"]}


def _one_more(data: dict[str, Any]) -> None:
    data["stalled"] = data.get("stalled", 0) + 1


@app.get("/stalled")
async def stalled(request: Request) -> int:
    return int(session_of(request).get("stalled", 0))


@app.post("/big-cookies")
async def big_cookies(request: Request, response: Response) -> None:
    """Sign in with an answer whose cookies are as long as browsers let them be."""
    session_of(request).sign_in("bob")
    response.set_cookie("one", BIG)
    response.set_cookie("two", BIG)


@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    name = session_of(websocket).require_subject()
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"{name}: {text}")
