"""Who writes to a store while it is broken, and knows what was acknowledged."""

from threading import Event

from coatcheck import Store
from coatcheck.core.record import Record, Tombstone
from coatcheck.errors import StoreUnavailable
from coatcheck.stores.protocol import Conflict
from coatcheck.stores.sql import SQLStore
from coatcheck.testing import make_record, make_tombstone, next_version
from coatcheck.waiting import pause
from tests.kinds import DRIVERS


def connect(url: str, driver: str, size: int) -> SQLStore:
    return SQLStore.from_url(f"{url}&pool_size={size}", kind=DRIVERS[driver][1])


class Writer:
    """Counts in a record of its own, and ends others, again and again."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._record = make_record(subject=name, payload=b"0")
        self._ended: list[Record] = []
        self.acknowledged = self.unsure = 0

    async def begin(self) -> None:
        await self._store.save(self._record, None)
        await self._store.enlist(self._record, 1, 0)

    async def work(self, over: Event) -> None:
        while not over.is_set():
            try:
                await self._count()
                await self._end()
            except StoreUnavailable:
                await pause(0.01)

    async def _count(self) -> None:
        stored = await self._load()
        record = next_version(stored, payload=b"%d" % (int(stored.payload) + 1))
        self.unsure += 1
        try:
            await self._store.save(record, stored)
        except Conflict:  # one of its own that was not acknowledged came late
            return
        self.unsure -= 1
        self.acknowledged += 1

    async def _end(self) -> None:
        record = make_record(subject=self._name)
        await self._store.save(record, None)
        await self._store.enlist(record, 1, 0)
        await self._store.end(make_tombstone(record.id))
        self._ended.append(record)

    async def _load(self) -> Record:
        stored = await self._store.load(self._record.id)
        assert isinstance(stored, Record)
        assert stored.subject == self._name
        return stored

    async def check(self) -> None:
        """Nothing acknowledged is missing, nothing that ended lives, nothing is half written."""
        counted = int((await self._load()).payload)
        assert self.acknowledged <= counted <= self.acknowledged + self.unsure
        for record in self._ended[-50:]:
            assert isinstance(await self._store.load(record.id), Tombstone)
        page = await self._store.page(self._name, None, 1_000)
        assert not page.unreadable
        assert {record.subject for record in page.records} == {self._name}
        assert not {record.id for record in page.records} & {r.id for r in self._ended}
