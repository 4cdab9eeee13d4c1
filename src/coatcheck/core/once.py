"""What is known already: within bounded memory, so that in a long run something is new again."""

from collections.abc import Hashable


class Once:
    """A set of keys; when it is full it is emptied."""

    def __init__(self, limit: int = 1_000) -> None:
        self._keys: set[Hashable] = set()
        self._limit = limit

    def __contains__(self, key: Hashable) -> bool:
        return key in self._keys

    def add(self, key: Hashable) -> None:
        """Know `key` from now on."""
        if len(self._keys) >= self._limit:
            self._keys.clear()
        self._keys.add(key)

    def is_first(self, key: Hashable) -> bool:
        """Tell whether `key` was not known; it is from now on."""
        if key in self:
            return False
        self.add(key)
        return True

    def __len__(self) -> int:
        return len(self._keys)
