"""A shop whose pages have sessions, and that issues access tokens for its API."""

# part: shop
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from coatcheck import Sessions, store_from_url
from coatcheck.tokens import Issuer, SigningKeys
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.fastapi import CurrentSession

sessions = Sessions(store_from_url("sqlite:///shop.db"))
issuer = Issuer(
    "https://shop.example",  # a name; services name the same
    SigningKeys.from_env(),  # COATCHECK_SIGNING_KEYS
    audience="orders",
    lifetime=timedelta(minutes=5),
    claims=["roles"],
)
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions)


@app.post("/login")
async def login(session: CurrentSession) -> None:
    session.sign_in("alice")  # check the password first


@app.post("/logout")
async def logout(session: CurrentSession) -> None:
    session.end()


@app.post("/token")
async def token(session: CurrentSession) -> dict[str, Any]:
    return issuer.issue(session, {"roles": ["clerk"]}).response()


@app.get("/.well-known/jwks.json")
async def jwks() -> dict[str, Any]:
    return issuer.keys.jwks()


# end part
