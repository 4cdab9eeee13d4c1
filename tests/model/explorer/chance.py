"""Bytes that look random and are the same in each run."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from hashlib import sha512
from unittest.mock import patch

from coatcheck.parts import Parts
from tests.model.explorer.store import REQUEST


class Chance:
    """Draws for each request in turn, so that what others draw changes nothing for it."""

    def __init__(self) -> None:
        self._drawn: dict[int, int] = {}

    def __call__(self, size: int) -> bytes:
        request = REQUEST.get()
        drawn = self._drawn[request] = self._drawn.get(request, 0) + 1
        return sha512(f"{request} {drawn}".encode()).digest()[:size]

    def reset(self) -> None:
        """Start anew."""
        self._drawn.clear()


@contextmanager
def predictable() -> Generator[Chance]:
    """Let the sessions made here draw from a `Chance`, and not pause before they try again."""

    async def at_once(seconds: float) -> None:
        """Do not wait."""

    chance = Chance()
    with (
        patch("coatcheck.sessions.Parts", partial(Parts, random=chance)),
        patch("coatcheck.backoff.pause", at_once),
    ):
        yield chance
