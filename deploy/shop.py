"""A shop as it stands on the internet; systemd/shop@.service runs three of it."""

import logging
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request

from coatcheck import Sessions, store_from_url
from coatcheck.web.asgi import SessionMiddleware, session_of

logging.basicConfig(level=logging.INFO)  # what happens to sessions goes to the journal
sessions = Sessions(store_from_url(os.environ["STORE"]))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    yield
    await sessions.close()  # after the last request; what is still to be written is written


app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, sessions=sessions)  # uvicorn believes nginx on our behalf


@app.get("/health")
async def health() -> str:
    return "up"  # looks at no session, so it does not depend on the store


@app.post("/login")
async def login(request: Request) -> str:
    session_of(request).sign_in("alice")  # check the password first
    return "hello alice"


@app.post("/cart/{item}")
async def add(item: str, request: Request) -> dict[str, int]:
    def one_more(data: dict[str, Any]) -> None:
        cart = data.setdefault("cart", {})
        cart[item] = cart.get(item, 0) + 1

    session = session_of(request)
    session.edit(one_more)
    await sessions.commit(session)
    return dict(session["cart"])


@app.get("/me")
async def me(request: Request) -> dict[str, Any]:
    session = session_of(request)
    return {
        "subject": session.require_subject(),
        "address": session.client.address,
        "cart": session.get("cart", {}),
        "server": os.environ["SERVER"],
    }


@app.post("/logout")
async def logout(request: Request) -> None:
    session_of(request).end()
