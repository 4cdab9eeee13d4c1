"""Where the parcels are: a service of its own, which has no store and takes access tokens.

`python -m examples.shop.parcels --port 8004`. SHOP is where the shop is, which publishes its keys;
SHOP_CLOCK the file that moves the shop's time.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from coatcheck.tokens import RemoteKeys, Verifier
from coatcheck.web.access.asgi import AccessTokenMiddleware
from coatcheck.web.fastapi import CurrentClaims
from examples.shop.access import AUDIENCE, ISSUER, seconds
from examples.shop.clock import ShopClock
from examples.shop.process import arguments, serve
from examples.shop.served_by import ServedBy

SHOP: Final = "SHOP"
NAME: Final = "parcels"


def create_app(shop: str, clock: ShopClock | None) -> FastAPI:
    """Build the service; whether it is up may be asked without a token."""
    keys = RemoteKeys(f"{shop}/.well-known/jwks.json")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
        await asyncio.to_thread(keys.refresh)
        yield

    app = FastAPI(title="Parcels", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(ServedBy, name=NAME)
    app.add_api_route("/health", _health)
    protected = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    verifier = Verifier(ISSUER, audience=AUDIENCE, keys=keys, clock=seconds(clock))
    protected.add_middleware(AccessTokenMiddleware, verifier=verifier)
    protected.add_api_route("/parcels", _parcels)
    app.mount("/", protected)
    return app


async def _health() -> dict[str, str]:
    return {"status": "ok"}


async def _parcels(claims: CurrentClaims) -> dict[str, str]:
    return {"message": f"one parcel is on its way to {claims.subject}"}


def main() -> None:
    """Run the service until it is told to stop."""
    options = arguments("The shop's parcels.").parse_args()
    app = create_app(os.environ[SHOP], ShopClock.from_environment())
    serve(app, port=options.port, leashed=options.leashed)


if __name__ == "__main__":
    main()
