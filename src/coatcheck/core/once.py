"""What was told already: within bounded memory, so that in a long run something is told again."""

from collections.abc import Hashable


class Once:
    """The keys that were asked about."""

    def __init__(self, limit: int = 1_000) -> None:
        self._keys: set[Hashable] = set()
        self._limit = limit

    def is_first(self, key: Hashable) -> bool:
        """Tell whether nobody asked about `key` yet."""
        if key in self._keys:
            return False
        if len(self._keys) >= self._limit:
            self._keys.clear()
        self._keys.add(key)
        return True

    def __len__(self) -> int:
        return len(self._keys)
