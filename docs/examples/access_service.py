"""A service that takes the shop's access tokens, and has no store of sessions."""

# part: service
import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException

from coatcheck.tokens import RemoteKeys, Verifier
from coatcheck.web.access.asgi import AccessTokenMiddleware
from coatcheck.web.fastapi import CurrentClaims

SHOP = os.environ.get("SHOP", "https://shop.example")  # where the shop is, from here
keys = RemoteKeys(f"{SHOP}/.well-known/jwks.json")
verifier = Verifier("https://shop.example", audience="orders", keys=keys)
api = FastAPI()
api.add_middleware(AccessTokenMiddleware, verifier=verifier)


@api.get("/orders")
async def orders(claims: CurrentClaims) -> list[str]:
    return [f"an order of {claims.subject}"]


@api.post("/refunds")
async def refund(claims: CurrentClaims) -> str:
    if "clerk" not in claims.extra.get("roles", ()):
        raise HTTPException(403)
    return f"refunded, in session {claims.session}"


# end part
# part: sensitive
@api.post("/payouts")
async def payout(claims: CurrentClaims) -> str:
    claims.require(level=2, max_age="5m")  # else 401, and what would be enough
    return "paid"


# end part
# part: open
@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    await asyncio.to_thread(keys.refresh)  # or the first token is answered with 503
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> str:
    return "ok"


app.mount("/", api)
# end part
