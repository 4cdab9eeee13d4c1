"""The files under deploy/ as the tests use them: what is changed in them is named and counted."""

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

Changes = Mapping[str, tuple[str, int]]


def shipped(name: str, changes: Changes) -> str:
    """Return a file with some texts replaced, each found exactly as often as is said."""
    text = (DEPLOY / name).read_text()
    for old, (new, times) in changes.items():
        assert text.count(old) == times, f"{old!r} is {text.count(old)} times in {name}"
        text = text.replace(old, new)
    return text


def settings(unit: str) -> dict[str, list[str]]:
    """Return a unit's settings, each with the values that it is given; a list may have several."""
    found: dict[str, list[str]] = {}
    for line in unit.replace("\\\n", "").splitlines():
        if line and not line.startswith(("#", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found
