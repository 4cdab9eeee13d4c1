"""An API whose pages another server serves, on another port: `uvicorn front_end:app`."""

# part: api
import os

from fastapi import FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel

from coatcheck import Sessions, store_from_url
from coatcheck.web import CSRF
from coatcheck.web.asgi import SessionMiddleware, session_of

PAGES = os.environ.get("PAGES", "http://localhost:5173")  # Vite; its origin, without a slash
sessions = Sessions(store_from_url("sqlite:///api.db"))

app = FastAPI()
app.add_middleware(
    SessionMiddleware,
    sessions=sessions,
    development=True,
    csrf=CSRF(origins=[PAGES]),  # whose requests are let in
)
app.add_middleware(  # added last it is outermost, so that a 401 can be read, too
    CORSMiddleware,
    allow_origins=[PAGES],  # who may read the answers; with cookies it cannot be "*"
    allow_credentials=True,
    allow_methods=["GET", "POST"],
    allow_headers=["Content-Type"],
)


class Login(BaseModel):
    name: str
    password: str


@app.post("/api/login")
async def login(given: Login, request: Request) -> str:
    if given.password != "wonderland":  # yours are in a database, as hashes
        raise HTTPException(401, "wrong user name or password")
    session_of(request).sign_in(given.name)
    return f"hello {given.name}"


@app.get("/api/me")
async def me(request: Request) -> str:
    return session_of(request).require_subject()


@app.post("/api/logout")
async def logout(request: Request) -> None:
    session_of(request).end()


# end part
