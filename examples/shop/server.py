"""Runs one of the shop's servers: `python -m examples.shop.server --name A --port 8001`.

STORE names the session store they share (a URL; by default the demo's SQLite file), SHOP_CLOCK the
file that moves their time.
"""

import logging
import sys

from starlette.types import ASGIApp

from coatcheck.errors import ConfigurationError
from examples.shop.kinds import KINDS
from examples.shop.process import arguments, serve


def server_app(name: str, kind: str) -> ASGIApp:
    """Build server `name` from the environment, in the framework that `kind` names."""
    return KINDS[kind](name)


def main() -> None:
    """Run one server process until it is told to stop."""
    parser = arguments("One server of the shop.")
    parser.add_argument("--name", default="A", help="what it calls itself in X-Served-By")
    parser.add_argument("--kind", choices=KINDS, default="fastapi", help="its framework")
    options = parser.parse_args()
    logging.basicConfig(format=f"server {options.name}: %(message)s")
    try:
        app = server_app(options.name, options.kind)
    except ConfigurationError as error:
        sys.exit(f"server {options.name}: {error}")
    serve(app, port=options.port, leashed=options.leashed)


if __name__ == "__main__":
    main()
