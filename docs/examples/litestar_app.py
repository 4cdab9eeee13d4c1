"""Litestar: run `litestar --app litestar_app:app run`."""

from typing import Any

from litestar import Litestar, Request, get, post

from coatcheck import Sessions, store_from_url
from coatcheck.web.litestar import CurrentSession, SessionPlugin, requires_subject

sessions = Sessions(store_from_url("sqlite:///shop.db"))


@post("/login")
async def login(session: CurrentSession) -> None:
    session.sign_in("alice")  # check the password first


@get("/me", guards=[requires_subject])
async def me(session: CurrentSession) -> str:
    return session.require_subject()


@post("/cart")
async def put(request: Request[Any, Any, Any]) -> dict[str, Any]:
    request.session.setdefault("cart", {})["hats"] = 1  # a dict as ever
    return request.session


@post("/logout")
async def logout(session: CurrentSession) -> None:
    session.end()


app = Litestar(
    [login, me, put, logout],
    plugins=[SessionPlugin(sessions, development=True)],
    on_shutdown=[sessions.close],
)
