"""The shop's own time, for demonstrations: the system's clock plus an offset kept in a file.

All servers read the same file, so half an hour of idling is shown by writing a number, not by
waiting. Without the file this is the system's clock.
"""

import os
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

VARIABLE: Final = "SHOP_CLOCK"


class ShopClock:
    """UTC in milliseconds, moved on by the offset (milliseconds) that stands in `path`.

    The file is read at each call, about ten microseconds: nothing to invalidate, and every server
    sees a move at the same instant.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def from_environment(cls) -> "ShopClock | None":
        """Return the clock that SHOP_CLOCK names, or None where the system's clock is meant."""
        path = os.environ.get(VARIABLE)
        return cls(Path(path)) if path else None

    def __call__(self) -> int:
        """Return the shop's time in UTC milliseconds."""
        return time.time_ns() // 1_000_000 + self.offset()

    def offset(self) -> int:
        """Return how far the shop is ahead of the system, in milliseconds."""
        try:
            return int(self._path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return 0

    def advance(self, by: timedelta) -> None:
        """Move every server's time on by `by`; the file is replaced whole, never half written."""
        moved = self.offset() + by // timedelta(milliseconds=1)
        handle, draft = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(str(moved))
        Path(draft).replace(self._path)
