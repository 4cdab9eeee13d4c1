"""A shop with a database of its own, and its sessions in there: run `uvicorn sql_shop:app`."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from coatcheck import Sessions
from coatcheck.stores.sql import SQLStore
from coatcheck.web.asgi import SessionMiddleware, session_of

# part: engine
engine = create_async_engine(
    os.environ["DATABASE_URL"],  # postgresql+asyncpg://... or mysql+asyncmy://...
    pool_size=10,
    max_overflow=0,
    pool_timeout=2,  # seconds
)
sessions = Sessions(SQLStore(engine))
# end part


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    yield
    await sessions.close()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
app.add_middleware(SessionMiddleware, sessions=sessions)


@app.post("/login/{name}")
async def login(name: str, request: Request) -> None:
    session_of(request).sign_in(name)


@app.post("/orders/{item}")
async def order(item: str, request: Request) -> None:
    session = session_of(request)
    async with engine.begin() as transaction:
        await transaction.execute(text("INSERT INTO orders VALUES (:item)"), {"item": item})
        session["last"] = item
        if item == "snark":
            raise HTTPException(409)  # undoes the order; the session is not in the transaction


@app.get("/last")
async def last(request: Request) -> str:
    return str(session_of(request).get("last"))
