"""A service in Flask that takes the shop's access tokens."""

import os

# part: flask
from flask import Flask, request

from coatcheck.errors import Unauthenticated
from coatcheck.tokens import RemoteKeys, Verifier
from coatcheck.web.access import refusal
from coatcheck.web.access.wsgi import AccessTokenMiddleware, claims_of

SHOP = os.environ.get("SHOP", "https://shop.example")
keys = RemoteKeys(f"{SHOP}/.well-known/jwks.json")
verifier = Verifier("https://shop.example", audience="orders", keys=keys)
app = Flask(__name__)
app.wsgi_app = AccessTokenMiddleware(app.wsgi_app, verifier=verifier)  # type: ignore[method-assign]
app.register_error_handler(Unauthenticated, refusal)  # for what routes raise


@app.get("/orders")
def orders() -> str:
    return f"an order of {claims_of(request.environ).subject}"


@app.post("/payouts")
def payout() -> str:
    claims_of(request.environ).require(level=2, max_age="5m")
    return "paid"


# end part
