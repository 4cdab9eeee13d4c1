"""The shop to try out: `python -m examples.shop.demo`, until Ctrl-C.

STORE names another session store (default: an SQLite file of yours; `redis`, `valkey`, `sentinel`,
`cluster`, `postgresql` and `mariadb` start one), PORT the port (8000), APPS the frameworks of the
servers, as in fastapi,flask,django.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from coatcheck import store_from_url
from coatcheck.errors import ConfigurationError, StoreUnavailable
from examples.shop.fleet import Fleet, FleetError
from examples.shop.ports import is_free
from examples.shop.state import chosen_kinds, chosen_store, state_folder
from examples.shop.store import reached
from examples.shop.users import DEMO_PASSWORDS

DEFAULT_PORT: Final = "8000"
MEMORY: Final = "memory:"


def main() -> int:
    """Run the fleet until SIGINT or SIGTERM; returns the exit code."""
    for each in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores Ctrl-C's
        signal.signal(each, signal.default_int_handler)
    port = os.environ.get("PORT", DEFAULT_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return _fail(f"PORT is {port!r}; it must be a number from 1 to 65535.")
    if not is_free(int(port)):
        return _fail(f"Port {port} is taken; choose another, as in: PORT=8010 make demo")
    try:
        with reached(chosen_store()) as store:
            asyncio.run(_reach_store(store))
            return _run(store, int(port))
    except (ConfigurationError, StoreUnavailable) as error:
        return _fail(f"The shop did not open: its store cannot be used: {error}")
    except FleetError as error:
        return _fail(f"The shop did not open: {error}.")
    except KeyboardInterrupt:
        print("\nThe shop is closed.")
        return 0


async def _reach_store(url: str) -> None:
    """Ask the store for the time, so that a shop without sessions does not open."""
    if url == MEMORY:
        return  # the fleet says why that cannot be
    store = store_from_url(url)
    try:
        await store.time()
    finally:
        await store.close()


def _run(store: str, port: int) -> int:
    state = state_folder()
    with Fleet(store, clock=state / "clock", port=port, kinds=chosen_kinds()) as fleet:
        print(_opening(fleet, store, state), flush=True)
        return _watch(fleet)


def _watch(fleet: Fleet) -> int:
    """Report each server that stops; the others carry on, and without the balancer it is over."""
    running = dict(fleet.children)
    while running:
        for name, child in tuple(running.items()):
            if not child.runs():
                del running[name]
                print(f"{name} has stopped.", flush=True)
        if "balancer" not in running:
            break
        time.sleep(0.5)
    return 1


def _opening(fleet: Fleet, store: str, state: Path) -> str:
    accounts = "\n".join(f"    {user:9} {word}" for user, word in DEMO_PASSWORDS.items())
    servers = "\n".join(
        f"    {name:9} {url}   (process {fleet.children[name].pid})"
        for name, url in fleet.servers.items()
    )
    return f"""\
The shop is open at {fleet.url}

Servers behind that address; stop one and see that nobody is logged out:
{servers}
A service without the store, for who has a token of POST /token:
    parcels   {fleet.parcels}/parcels
Users and passwords:
{accounts}
Sessions are kept in {_without_password(store)}
The shop's clock is  {state / "clock"}

Ctrl-C closes the shop."""


def _without_password(url: str) -> str:
    """Return `url` fit to be shown: a store's password stays out of terminals and logs."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
