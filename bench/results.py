"""The one file that tables and plots are made from."""

import json
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

Results = dict[str, Any]
FILE = Path(__file__).with_name("results.json")
_PACKAGES = (
    "starlette", "uvicorn", "uvloop", "httptools", "redis", "hiredis", "msgspec",
    "ormsgpack", "SQLAlchemy", "asyncpg",
    "starsessions", "Flask", "Flask-Session", "Django", "django-redis", "gunicorn", "granian",
)  # fmt: skip


def load(file: Path) -> Results:
    """Return all results so far."""
    found: Results = json.loads(file.read_text()) if file.exists() else {}
    return found


def update(file: Path, **parts: Any) -> None:
    """Replace parts of the results."""
    found = load(file) | parts
    found["versions"] = {"Python": platform.python_version()} | {
        name: version(name) for name in _PACKAGES
    }
    text = json.dumps(found, indent=1)
    text = re.sub(r"\{[^{}]*\}", lambda inner: " ".join(inner[0].split()), text)  # a run, a line
    file.write_text(text + "\n")
