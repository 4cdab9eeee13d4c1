"""A clock that tests move."""

from datetime import timedelta

from coatcheck.clock import system


class Clock:
    """Milliseconds UTC that stand still until they are moved: `Sessions(store, clock=Clock())`."""

    def __init__(self, now: int | None = None) -> None:
        self.ms = system() if now is None else now

    def __call__(self) -> int:
        """Return the time."""
        return self.ms

    def move(self, **by: float) -> None:
        """Move on by `timedelta(**by)`, such as `minutes=31`."""
        self.ms += timedelta(**by) // timedelta(milliseconds=1)
