"""Who is signed in, where, how often, and who may end it: run `fastapi run control.py`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response

from coatcheck import AtLimit, Policy, Session, SessionInfo, Sessions, store_from_url
from coatcheck.errors import SessionLimitReached
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.fastapi import CurrentSession

# part: policy
sessions = Sessions(
    store_from_url("sqlite:///control.db"),
    policy=Policy(max_sessions=3, at_limit=AtLimit.REFUSE),
)
# end part


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    yield
    await sessions.close()


app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, sessions=sessions, development=True)
passwords = {"alice": "wonder", "root": "root"}


def proved(user: str, password: str) -> str:
    if passwords.get(user) != password:
        raise HTTPException(403)
    return user


# part: ask
@app.post("/login/{user}")
async def login(
    user: Annotated[str, Depends(proved)],
    session: CurrentSession,
    response: Response,
    instead_of: str | None = None,
) -> list[SessionInfo]:
    if instead_of is not None:
        await sessions.end(instead_of, subject=user)
    session.sign_in(user)
    try:
        await sessions.commit(session)
    except SessionLimitReached:
        await sessions.commit(session, discard=True)  # the visitor goes on as before
        response.status_code = 403
        return await sessions.list(user)  # which of these shall end?
    return []


# end part
# part: notice
@app.get("/")
async def home(session: CurrentSession) -> str:
    if session.subject is not None:
        return f"hello {session.subject}"
    if session.ended_because == "evicted":
        return "you signed in on another device, and this was the oldest"
    return "you were logged out" if session.is_over else "hello"


# end part
# part: devices
@app.get("/devices")
async def devices(session: CurrentSession) -> list[SessionInfo]:
    return await sessions.list(session.require_subject(), current=session)


@app.delete("/devices/{id}")
async def end_device(id: str, session: CurrentSession) -> None:
    if not await sessions.end(id, subject=session.require_subject()):
        raise HTTPException(404)  # somebody else's, over, or never there


# end part
# part: users
@app.post("/password")
async def change_password(password: str, session: CurrentSession) -> None:
    user = session.require_subject()
    passwords[user] = password  # first what lets nobody in any more, then the sessions
    await sessions.end_all(user, keep=session, reason="password changed")
    session.privilege_changed()


def administrator(session: CurrentSession) -> Session:
    if session.require_subject() != "root":
        raise HTTPException(403)
    return session


Administrator = Annotated[Session, Depends(administrator)]


@app.delete("/users/{user}")
async def disable(user: str, reason: str, by: Administrator) -> int:
    passwords.pop(user, None)
    return await sessions.end_all(user, actor=by.subject, reason=reason)


# end part
# part: administrators
@app.delete("/sessions/{id}")
async def end_one(id: str, reason: str, by: Administrator) -> bool:
    return await sessions.end(id, actor=by.subject, reason=reason)


@app.delete("/sessions")
async def end_everything(reason: str, by: Administrator) -> int:
    return await sessions.end_everything(actor=by.subject, reason=reason)


# end part
