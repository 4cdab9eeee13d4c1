"""Runs one of the shop's identical servers: `python -m examples.shop.server --name A --port 8001`.

STORE names the session store they share (a URL; by default the demo's SQLite file), SHOP_CLOCK the
file that moves their time.
"""

import logging
import sys

from fastapi import FastAPI

from coatcheck import Policy, Sessions, store_from_url
from coatcheck.errors import ConfigurationError
from examples.shop.app import create_app
from examples.shop.clock import ShopClock
from examples.shop.process import arguments, serve
from examples.shop.state import chosen_store
from examples.shop.time_machine import time_machine


def server_app(name: str) -> FastAPI:
    """Build server `name` from the environment."""
    clock = ShopClock.from_environment()
    store = store_from_url(chosen_store())
    app = create_app(name, Sessions(store, policy=Policy(), clock=clock), clock=clock)
    if clock is not None:
        app.include_router(time_machine(clock))
    return app


def main() -> None:
    """Run one server process until it is told to stop."""
    parser = arguments("One server of the shop.")
    parser.add_argument("--name", default="A", help="what it calls itself in X-Served-By")
    options = parser.parse_args()
    logging.basicConfig(format=f"server {options.name}: %(message)s")
    try:
        app = server_app(options.name)
    except ConfigurationError as error:
        sys.exit(f"server {options.name}: {error}")
    serve(app, port=options.port, leashed=options.leashed)


if __name__ == "__main__":
    main()
