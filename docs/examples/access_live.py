"""A service that shares the shop's store, so that a logout counts at once."""

from fastapi import FastAPI

from coatcheck import Sessions, store_from_url
from coatcheck.tokens import SigningKeys, Verifier
from coatcheck.web.access.asgi import AccessTokenMiddleware
from coatcheck.web.fastapi import CurrentClaims

keys = SigningKeys.from_env()
verifier = Verifier("https://shop.example", audience="orders", keys=keys)
# part: live
sessions = Sessions(store_from_url("sqlite:///shop.db"))
app = FastAPI()
app.add_middleware(AccessTokenMiddleware, verifier=verifier, sessions=sessions)
# end part


@app.get("/orders")
async def orders(claims: CurrentClaims) -> str:
    return claims.subject
