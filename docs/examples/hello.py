"""A counter, a login and a logout: run `uvicorn hello:app` on your own machine."""

from typing import Any

from fastapi import FastAPI, Request

from coatcheck import Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of

sessions = Sessions(store_from_url("sqlite:///hello.db"))
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions, development=True)


def one_more(data: dict[str, Any]) -> None:
    data["visits"] = data.get("visits", 0) + 1


@app.get("/")
async def visits(request: Request) -> dict[str, Any]:
    session_of(request).edit(one_more)  # exact, however many requests come at once
    return dict(request.session)


@app.post("/theme/{name}")
async def theme(name: str, request: Request) -> None:
    request.session["theme"] = name  # or just change the dict


@app.post("/login")
async def login(request: Request) -> str:
    session_of(request).sign_in("alice")  # check the password first
    return "hello alice"


@app.get("/me")
async def me(request: Request) -> str:
    return session_of(request).require_subject()  # 401 for a visitor


@app.post("/logout")
async def logout(request: Request) -> None:
    session_of(request).end()
