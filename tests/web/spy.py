"""A store that tells what it was asked, and fails where it is told to."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from coatcheck import Store
from coatcheck.errors import StoreUnavailable
from coatcheck.waiting import Kind


class Spy:
    """Stands before a real store.

    Attributes:
        calls: the names of the methods called, in their order.
        down: the names of those that fail from now on.
    """

    def __init__(self, store: Store) -> None:
        self.behind = store
        self.calls: list[str] = []
        self.down: set[str] = set()

    @property
    def kind(self) -> Kind:
        return self.behind.kind

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self.behind, name)

        async def called(*arguments: Any) -> Any:
            self.calls.append(name)
            if name in self.down:
                raise StoreUnavailable(f"{name} was told to fail")
            return await method(*arguments)

        return called

    @property
    def store(self) -> Store:
        return cast("Store", self)

    def breaks(self) -> None:
        """Let everything fail until `mends`."""
        self.down = {"load", "save", "touch", "end", "enlist", "delist", "bar", "page", "sweep"}
        self.down.add("is_barred")

    def mends(self) -> None:
        self.down = set()
