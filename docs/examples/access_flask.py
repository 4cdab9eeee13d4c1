"""The same under WSGI: Flask, Django, any other."""

from flask import Flask, request

from coatcheck.tokens import SigningKeys, Verifier
from coatcheck.web.access.wsgi import AccessTokenMiddleware, claims_of

verifier = Verifier("https://shop.example", audience="orders", keys=SigningKeys.from_env())
# part: flask
app = Flask(__name__)
app.wsgi_app = AccessTokenMiddleware(app.wsgi_app, verifier=verifier)  # type: ignore[method-assign]


@app.get("/orders")
def orders() -> str:
    return f"an order of {claims_of(request.environ).subject}"


# end part
