"""An application with sockets and streams for real servers, which name the store in `STORE`."""

import asyncio
import os
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import Policy, Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of

APP = "https://app.example"


def make_app(url: str) -> Starlette:
    policy = Policy(watch_every=timedelta(milliseconds=200))
    sessions = Sessions(store_from_url(url), policy=policy)

    async def login(request: Request) -> Response:
        session_of(request).sign_in("alice")
        return Response()

    async def logout(request: Request) -> Response:
        session_of(request).end()
        return Response()

    async def password(request: Request) -> Response:
        session = session_of(request)
        await sessions.end_all(session.require_subject(), keep=session)
        session.sign_in("alice")
        return Response()

    async def ticket(request: Request) -> Response:
        text = await sessions.issue_ticket(session_of(request), origin=APP)
        return PlainTextResponse(text)

    async def events(request: Request) -> Response:
        session_of(request).require_subject()
        return StreamingResponse(ticks())

    async def ticks() -> AsyncGenerator[str]:
        while True:
            yield "tick\n"
            await asyncio.sleep(0.05)

    async def chat(socket: WebSocket) -> None:
        session_of(socket).require_subject()
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    middleware: Any = SessionMiddleware
    return Starlette(
        routes=[
            *(Route(f"/{h.__name__}", h) for h in (login, logout, password, ticket, events)),
            WebSocketRoute("/chat", chat),
        ],
        middleware=[Middleware(middleware, sessions=sessions, development=True, tickets=True)],
    )


if "STORE" in os.environ:
    app = make_app(os.environ["STORE"])
