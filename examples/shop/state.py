"""Where the shop keeps what outlives it: a folder of yours, outside the sources."""

import os
from pathlib import Path

from examples.shop.clock import VARIABLE


def state_folder() -> Path:
    """Return the folder, yours alone, that keeps sessions and clock between two runs."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(home) / "coatcheck-shop"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def profiles_file() -> Path:
    """Return the file of the users' profiles: beside the shop's clock, where that has a file."""
    clock = os.environ.get(VARIABLE)
    return (Path(clock).parent if clock else state_folder()) / "profiles.db"


def chosen_store() -> str:
    """Return the URL of the session store that STORE names, else of an SQLite file."""
    return os.environ.get("STORE") or f"sqlite:///{state_folder() / 'shop.db'}"


def chosen_kinds() -> list[str]:
    """Return the frameworks that APPS names, separated by commas; FastAPI by default."""
    return (os.environ.get("APPS") or "fastapi").split(",")
