"""Log in with a password, log out, here and everywhere: run `uvicorn login:app`."""

# part: start
import asyncio
from hashlib import scrypt
from hmac import compare_digest
from secrets import token_bytes

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from coatcheck import SessionInfo, Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.fastapi import CurrentSession, CurrentUser

sessions = Sessions(store_from_url("sqlite:///login.db"))
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions, development=True)
# end part


# part: passwords
def hashed(password: str, salt: bytes) -> bytes:
    return salt + scrypt(password.encode(), salt=salt, n=2**14, r=8, p=5)


USERS = {"alice": hashed("wonderland", token_bytes(16))}  # yours are in a database
NOBODY = hashed("", token_bytes(16))  # so that a wrong name takes as long


async def password_matches(name: str, password: str) -> bool:
    kept = USERS.get(name, NOBODY)
    given = await asyncio.to_thread(hashed, password, kept[:16])
    return compare_digest(given, kept) and name in USERS


# end part


# part: login
class Credentials(BaseModel):
    name: str
    password: str


@app.post("/login")
async def login(given: Credentials, session: CurrentSession) -> str:
    if not await password_matches(given.name, given.password):
        raise HTTPException(401, "wrong user name or password")
    session.sign_in(given.name)
    return f"welcome, {given.name}"


# end part


# part: me
@app.get("/me")
async def me(user: CurrentUser) -> str:
    return user


# end part


# part: logout
@app.post("/logout")
async def logout(session: CurrentSession) -> None:
    session.end()


@app.post("/logout-everywhere")
async def logout_everywhere(user: CurrentUser, session: CurrentSession) -> int:
    others = await sessions.end_all(user, keep=session)
    session.end()
    return others


# end part


# part: devices
@app.get("/devices")
async def devices(user: CurrentUser, session: CurrentSession) -> list[SessionInfo]:
    return await sessions.list(user, current=session)


@app.delete("/devices/{id}")
async def end_device(id: str, user: CurrentUser) -> None:
    if not await sessions.end(id, subject=user):
        raise HTTPException(404)  # somebody else's, over, or never there


# end part
