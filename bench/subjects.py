"""What is compared: an application and where it keeps its sessions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["read", "write", "anonymous", "hot"]
KINDS: tuple[Kind, ...] = ("read", "write", "anonymous", "hot")


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the things compared.

    Attributes:
        name: in the results.
        title: in tables and plots.
        app: the module in `bench.apps`.
        store: `redis`, `sqlite`, `memory`, or nothing.
        server: what serves it.
        unknown: what it answers to somebody without a cookie.
        is_counted: whether what was written can be read back without following cookies.
    """

    name: str
    title: str
    app: str
    store: str = ""
    server: Literal["uvicorn", "gunicorn"] = "uvicorn"
    unknown: str = "nobody"
    is_counted: bool = True

    def url(self, redis: str, folder: Path) -> str:
        """Return the URL of a store of its own."""
        match self.store:
            case "redis":
                return f"{redis}/{1 if self.app == 'coatcheck' else 2}"
            case "sqlite":
                return f"sqlite:///{folder / self.name}.db"
            case _:
                return f"{self.store}:" if self.store else ""


BASELINE = Subject("none", "no session", "none", unknown="somebody", is_counted=False)
SIGNED = Subject("signed", "Starlette, signed cookie", "signed", is_counted=False)
STARSESSIONS = Subject("starsessions-redis", "starsessions, Redis", "starsessions", "redis")
COATCHECK = (
    Subject("coatcheck-sqlite", "coatcheck, SQLite", "coatcheck", "sqlite"),
    Subject("coatcheck-redis", "coatcheck, Redis", "coatcheck", "redis"),
    Subject("coatcheck-memory", "coatcheck, memory", "coatcheck", "memory"),
)
SUBJECTS = (BASELINE, SIGNED, STARSESSIONS, *COATCHECK)
