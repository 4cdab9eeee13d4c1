"""A service that shares the shop's store, so that a logout counts at once."""

import os

from fastapi import FastAPI

from coatcheck import Sessions, store_from_url
from coatcheck.tokens import RemoteKeys, Verifier
from coatcheck.web.access.asgi import AccessTokenMiddleware
from coatcheck.web.fastapi import CurrentClaims

SHOP = os.environ.get("SHOP", "https://shop.example")
keys = RemoteKeys(f"{SHOP}/.well-known/jwks.json")
verifier = Verifier("https://shop.example", audience="orders", keys=keys)
# part: live
sessions = Sessions(store_from_url("sqlite:///shop.db"))  # the shop's own
app = FastAPI()
app.add_middleware(AccessTokenMiddleware, verifier=verifier, sessions=sessions)
# end part


@app.get("/orders")
async def orders(claims: CurrentClaims) -> str:
    return claims.subject
