"""Who is told how far an export or import is."""

from collections.abc import Callable

Progress = Callable[[int], None]


def nobody(_: int) -> None:
    """Nobody wants to know."""
