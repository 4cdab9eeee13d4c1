"""A shop whose pages have sessions, and that issues access tokens for its API."""

from datetime import timedelta
from typing import Any

from fastapi import FastAPI, Response

from coatcheck import Sessions, store_from_url

# part: issuer
from coatcheck.tokens import Issuer, SigningKeys
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.fastapi import CurrentSession

issuer = Issuer(
    "https://shop.example",
    SigningKeys.from_env(),  # COATCHECK_SIGNING_KEYS
    audience="orders",
    lifetime=timedelta(minutes=5),
    claims=["roles"],
)
# end part

sessions = Sessions(store_from_url("sqlite:///shop.db"))
app = FastAPI()
app.add_middleware(SessionMiddleware, sessions=sessions)


@app.post("/login")
async def login(session: CurrentSession) -> None:
    session.sign_in("alice")  # check the password first


@app.post("/logout")
async def logout(session: CurrentSession) -> None:
    session.end()


# part: token
@app.post("/token")
async def token(session: CurrentSession, response: Response) -> dict[str, Any]:
    response.headers["Cache-Control"] = "no-store"
    return issuer.issue(session, {"roles": ["clerk"]}).response()


@app.get("/.well-known/jwks.json")
async def jwks() -> dict[str, Any]:
    return issuer.keys.jwks()


# end part
