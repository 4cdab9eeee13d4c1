"""A service that takes the shop's access tokens, and has no store."""

import os

# part: service
from fastapi import FastAPI, HTTPException

from coatcheck.tokens import RemoteKeys, Verifier
from coatcheck.web.access.asgi import AccessTokenMiddleware
from coatcheck.web.fastapi import CurrentClaims

SHOP = os.environ.get("SHOP", "https://shop.example")  # where it is, from here
keys = RemoteKeys(f"{SHOP}/.well-known/jwks.json")
verifier = Verifier("https://shop.example", audience="orders", keys=keys)
app = FastAPI()
app.add_middleware(AccessTokenMiddleware, verifier=verifier)


@app.get("/orders")
async def orders(claims: CurrentClaims) -> list[str]:
    return [f"an order of {claims.subject}"]


@app.post("/refunds")
async def refund(claims: CurrentClaims) -> str:
    if "clerk" not in claims.more.get("roles", ()):
        raise HTTPException(403)
    return f"refunded, in session {claims.session}"


# end part
# part: sensitive
@app.post("/payouts")
async def payout(claims: CurrentClaims) -> str:
    claims.require(level=2, max_age="5m")  # else 401, and what would be enough
    return "paid"


# end part
