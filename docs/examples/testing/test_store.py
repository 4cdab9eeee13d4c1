"""A store of one's own, and the test that it is one."""

from coatcheck import MemoryStore, Store
from coatcheck.core.record import Stored
from coatcheck.testing import StoreContract


class CountingStore(MemoryStore):
    """Knows how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.loads = 0

    async def load(self, id: str, /) -> Stored:
        self.loads += 1
        return await super().load(id)


# part: contract
class TestCountingStore(StoreContract):
    def make_store(self) -> Store:
        return CountingStore()


# end part
