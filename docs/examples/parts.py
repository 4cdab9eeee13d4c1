"""The pieces that the pages show, in one application that the tests run."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

from coatcheck import Event, Merge, Policy, Session, SessionInfo, Sessions, store_from_url
from coatcheck.web import BearerTransport, CookieTransport
from coatcheck.web.asgi import SessionMiddleware, session_of


def report(event: Event) -> None:
    print(event.kind, event.id, event.subject, dict(event.facts))


# part: settings
sessions = Sessions(
    store_from_url("sqlite:///shop.db"),
    policy=Policy(idle=timedelta(minutes=15), absolute=timedelta(hours=8), max_size=16_384),
    merge={"filters": Merge.WHOLE, "balance": Merge.REFUSE},
    on_event=report,
)
# end part


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    yield
    await sessions.close()


# part: middleware
app = FastAPI(lifespan=lifespan)
app.add_middleware(
    SessionMiddleware,
    sessions=sessions,
    transport=CookieTransport(same_site="Strict"),
    trusted_proxies=["10.0.0.0/8"],  # nginx and the like, that speak TLS for us
    passive=["/unread"],  # the page asks for it by itself
)
# end part

# part: bearer
api = FastAPI()
api.add_middleware(SessionMiddleware, sessions=sessions, transport=BearerTransport())


@api.post("/login")
async def api_login(request: Request) -> dict[str, str]:
    session = session_of(request)
    session.sign_in("alice")
    outcome = await sessions.commit(session)  # or read it from the header Session-Token
    assert outcome.token is not None
    return {"token": outcome.token.reveal()}


# end part
@api.get("/me")
async def api_me(request: Request) -> str:
    return session_of(request).require_subject()


@app.post("/login/{name}")
async def login(name: str, request: Request) -> None:
    session_of(request).sign_in(name)


@app.post("/logout")
async def logout(request: Request) -> None:
    session_of(request).end()


# part: edit
@app.post("/like")
async def like(request: Request) -> None:
    def one_more(data: dict[str, Any]) -> None:
        data["likes"] = data.get("likes", 0) + 1

    session_of(request).edit(one_more)


# end part
# part: privileges
async def second_factor_checked(session: Session) -> None:
    session.step_up(2)


async def role_changed(session: Session) -> None:
    session.privilege_changed()


async def password_changed(session: Session, user: str) -> None:
    await sessions.end_all(user, keep=session)
    session.sign_in(user)


# end part
# part: devices
@app.get("/devices")
async def devices(request: Request) -> list[SessionInfo]:
    return await sessions.list(session_of(request).require_subject())


@app.delete("/devices/{id}")
async def end_device(id: str, request: Request) -> bool:
    return await sessions.end(id, subject=session_of(request).require_subject())


@app.post("/devices/end-others")
async def end_others(request: Request) -> int:
    session = session_of(request)
    return await sessions.end_all(session.require_subject(), keep=session)


# end part
# part: poll
@app.get("/unread")
async def unread(request: Request) -> int:
    return int(session_of(request).get("unread", 0))


# end part
# part: websocket
@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    session = session_of(websocket)
    session.require_subject()  # refuses the handshake of a visitor
    await websocket.accept()
    async for message in websocket.iter_text():
        session["draft"] = message
        await sessions.commit(session)
        await websocket.send_text("saved")


# end part
# part: stream
@app.get("/export")
async def export(request: Request) -> StreamingResponse:
    session = session_of(request)

    async def rows() -> AsyncGenerator[str]:
        for row in range(3):
            yield f"{row}\n"
        session["exported"] = True  # after the response started: nobody commits this for you
        await sessions.commit(session)

    return StreamingResponse(rows())


# end part
