"""The walk-through: `python -m examples.shop.walk` plays browsers against three servers.

It runs on an SQLite file of its own, or on STORE (Redis: under keys of its own; elsewhere the demo
users' sessions end with it). By a name alone it starts one: STORE=redis, valkey, sentinel, cluster,
postgresql or mariadb.
Time is moved by the shop's clock, never slept. Exit code 0 if everything held, else 1.
"""

import asyncio
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from coatcheck import Sessions, store_from_url
from coatcheck.errors import CoatcheckError
from examples.shop.clock import ShopClock
from examples.shop.fleet import Fleet, FleetError
from examples.shop.journey import Journey
from examples.shop.report import Report
from examples.shop.state import chosen_kinds
from examples.shop.store import reached
from examples.shop.users import DEMO_PASSWORDS

INTERRUPTED: Final = 130


def main() -> int:
    """Walk; returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="coatcheck-walk-") as name:
        folder = Path(name)
        store = os.environ.get("STORE") or f"sqlite:///{folder}/shop.db"
        try:
            with reached(store) as url:
                went_well = _walk(own_store(url), folder)
        except FleetError as error:
            went_well = _fail(f"The shop did not open: {error}.")
        except CoatcheckError as error:
            went_well = _fail(f"The session store cannot be used: {str(error).rstrip('.')}.")
        except KeyboardInterrupt:
            return INTERRUPTED
        if not went_well:
            _show(folder / "log")
    return 0 if went_well else 1


def own_store(url: str) -> str:
    """Return `url` with a key prefix of this walk alone, where the store is shared by key."""
    if not url.startswith(("redis", "valkey", "unix:")) or "prefix=" in urlsplit(url).query:
        return url
    return f"{url}{'&' if '?' in url else '?'}prefix=walk-{secrets.token_hex(4)}"


def _walk(store: str, folder: Path) -> bool:
    clock = ShopClock(folder / "clock")
    with (folder / "log").open("wb") as log:
        fleet = Fleet(store, clock=folder / "clock", log=log, kinds=chosen_kinds())
        asyncio.run(_end_all(store, clock))
        report = Report()
        with fleet:
            try:
                Journey(fleet, clock, report).walk()
            finally:
                left = asyncio.run(_end_all(store, clock))
    report.note(f"Sessions left in the store: {left}")
    return report.close(nothing_left=left == 0)


async def _end_all(store: str, clock: ShopClock) -> int:
    """End the demo users' sessions, also after a broken walk; returns how many there were."""
    sessions = Sessions(store_from_url(store), clock=clock)
    try:
        left = [info for user in DEMO_PASSWORDS for info in await sessions.list(user)]
        return sum([await sessions.end(info.id) for info in left])
    finally:
        await sessions.close()


def _fail(sentence: str) -> bool:
    print(sentence, file=sys.stderr)
    return False


def _show(log: Path) -> None:
    """Show what the shop's processes had to say."""
    if log.exists() and (said := log.read_text(errors="replace").strip()):
        print(f"\nThe servers said:\n{said}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
