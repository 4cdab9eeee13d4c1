"""Tests of a service that takes access tokens: no shop, no keys, no session."""

from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient

from coatcheck.testing.tokens import access_token
from coatcheck.tokens import RemoteKeys, Verifier
from coatcheck.web.access.asgi import AccessTokenMiddleware
from coatcheck.web.fastapi import CurrentClaims

keys = RemoteKeys("https://shop.example/.well-known/jwks.json")
verifier = Verifier("https://shop.example", audience="orders", keys=keys)
api = FastAPI()
api.add_middleware(AccessTokenMiddleware, verifier=verifier)


@api.post("/refunds")
async def refund(claims: CurrentClaims) -> str:
    if "clerk" not in claims.extra.get("roles", ()):
        raise HTTPException(403)
    return "refunded"


# part: access
def bearer(user: str, **more: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token(verifier, user, **more)}"}


def test_a_clerk_refunds_and_a_customer_does_not() -> None:
    client = TestClient(api)
    assert client.post("/refunds", headers=bearer("alice", roles=["clerk"])).status_code == 200
    assert client.post("/refunds", headers=bearer("bob")).status_code == 403
    assert client.post("/refunds").status_code == 401
    assert client.post("/refunds", headers=bearer("alice", lifetime=-1)).status_code == 401


# end part
