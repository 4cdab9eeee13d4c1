"""A store that tells what was asked of it."""

from collections.abc import Callable
from typing import Any, cast

from coatcheck import Store


class _Spy:
    def __init__(self, store: Store, tell: Callable[[str], object]) -> None:
        self._store, self._tell = store, tell

    def __getattr__(self, name: str) -> Any:
        if name != "kind":
            self._tell(name)
        return getattr(self._store, name)


def spied(store: Store, tell: Callable[[str], object]) -> Store:
    """Return `store`, with `tell` called with the name of each method that is used."""
    return cast("Store", _Spy(store, tell))
