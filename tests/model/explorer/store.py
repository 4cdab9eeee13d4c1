"""A store whose calls wait to be let through, one by one, by whoever explores."""

import asyncio
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from enum import Enum
from typing import Any, Protocol, cast

from coatcheck import MemoryStore, SQLiteStore, Store
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.errors import CoatcheckError, StoreUnavailable
from coatcheck.stores.protocol import Barred, Conflict, Page
from coatcheck.waiting import Kind, finish

REQUEST: ContextVar[int] = ContextVar("REQUEST", default=-1)
"""The number of the request on whose behalf something runs; tasks it starts inherit it."""

WRITES = ("save", "end", "touch")


class Fate(Enum):
    """What becomes of a call."""

    ANSWERED = "answered"
    LOST = "lost"
    """Not applied, and no answer."""
    UNANSWERED = "applied, not answered"


class Call:
    """A call of the store that waits."""

    def __init__(self, number: int, name: str, args: tuple[Any, ...]) -> None:
        self.request = REQUEST.get()
        self.number, self.name, self.args = number, name, args
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    @property
    def is_write(self) -> bool:
        return self.name != "load"


class Observable(Store, Protocol):
    """A store that shows all it holds."""

    def everything(self) -> Hashable:
        """Return all that is stored, the indexes too."""
        ...

    def stored(self) -> dict[str, Record | Tombstone]:
        """Return every record and tombstone by its id."""
        ...

    def empty(self) -> None:
        """Forget everything."""
        ...


class ScheduledStore:
    """Lets its calls wait for `let`, which applies them to the store inside, at once and whole."""

    def __init__(
        self,
        inner: Observable,
        kind: Kind,
        wrote: Callable[[Call, Stored, Stored, object], None],
    ) -> None:
        self.inner, self.kind, self._wrote = inner, kind, wrote
        self.waiting: list[Call] = []
        self.is_free = True
        self.is_gone = False
        self._numbers: dict[int, int] = {}

    def let(self, call: Call, fate: Fate = Fate.ANSWERED) -> Hashable:
        """Decide about a call that waits; return what its caller gets to know."""
        self.waiting.remove(call)
        if fate is Fate.LOST:
            call.answer.set_exception(StoreUnavailable("lost"))
            return fate
        id: str | None = call.args[0].id if call.name in WRITES else None
        before = finish(self.inner.load(id)) if id else None
        result: Any = None
        error: CoatcheckError | None = None
        try:
            result = finish(getattr(self.inner, call.name)(*call.args))
        except Conflict as conflict:
            result, error = conflict.stored, conflict
        self._wrote(call, before, finish(self.inner.load(id)) if id else None, result)
        if fate is Fate.UNANSWERED:
            call.answer.set_exception(StoreUnavailable("no answer"))
            return fate
        if error is not None:
            call.answer.set_exception(error)
        else:
            call.answer.set_result(result)
        return frozen(result), error is not None

    async def _call(self, name: str, *args: Any) -> Any:
        if self.is_gone:
            raise StoreUnavailable("the world is over")
        if self.is_free:
            return await getattr(self.inner, name)(*args)
        number = self._numbers[REQUEST.get()] = self._numbers.get(REQUEST.get(), 0) + 1
        call = Call(number, name, args)
        self.waiting.append(call)
        try:
            return await call.answer
        finally:
            if call in self.waiting:  # cancelled
                self.waiting.remove(call)

    async def load(self, id: str, /) -> Stored:
        return cast("Stored", await self._call("load", id))

    async def save(self, record: Record, base: Record | None, /) -> None:
        await self._call("save", record, base)

    async def touch(self, record: Record, seen_at: int, /) -> None:
        await self._call("touch", record, seen_at)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        return cast("Stored", await self._call("end", tombstone, base))

    async def enlist(
        self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
    ) -> list[str] | None:
        if record.subject is None:
            return []
        args = record, opened_at, own_bar, limit
        return cast("list[str] | None", await self._call("enlist", *args))

    async def delist(self, subject: str, id: str, /) -> None:
        await self._call("delist", subject, id)

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        return cast("Barred", await self._call("bar", subject, at))

    async def is_barred(self, subject: str, since: int, /) -> bool:
        return cast("bool", await self._call("is_barred", subject, since))

    async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
        return cast("Page", await self._call("page", subject, after, limit))

    async def count(self, subject: str | None, /) -> int:
        return await self.inner.count(subject)

    async def tally(self, key: str, now: int, until: int, /) -> int:
        return await self.inner.tally(key, now, until)

    async def sweep(self, before: int, limit: int, /) -> int:
        return await self.inner.sweep(before, limit)

    async def time(self) -> int:
        return await self.inner.time()

    async def close(self) -> None:
        await self.inner.close()


class ObservedMemory(MemoryStore):
    """A memory store that shows all it holds, and can be emptied."""

    def everything(self) -> Hashable:
        return (
            frozenset(self._stored.values()),
            frozenset((subject, tuple(ids)) for subject, ids in self._subjects.items()),
            frozenset(self._bars.items()),
        )

    def stored(self) -> dict[str, Record | Tombstone]:
        return dict(self._stored)

    def empty(self) -> None:
        for kept in (self._stored, self._due, self._subjects, self._bars):
            kept.clear()


class ObservedSQLite(SQLiteStore):
    """An SQLite store that shows all it holds, and can be emptied."""

    def everything(self) -> Hashable:
        bars = self._rows("SELECT subject, at FROM coatcheck_bars")
        places = self._rows("SELECT id, place FROM coatcheck_sessions")
        return frozenset(self.stored().values()), frozenset(bars), frozenset(places)

    def stored(self) -> dict[str, Record | Tombstone]:
        ids = self._rows("SELECT id FROM coatcheck_sessions")
        ids += self._rows("SELECT id FROM coatcheck_tombstones")
        found = {id: finish(self.load(id)) for (id,) in ids}
        return {id: stored for id, stored in found.items() if stored is not None}

    def empty(self) -> None:
        for table in ("sessions", "tombstones", "bars"):
            self._rows(f"DELETE FROM coatcheck_{table}")  # noqa: S608 - no input in it

    def _rows(self, statement: str) -> list[Any]:
        return self._file.run(lambda db: db.execute(statement).fetchall(), 0.05)


def frozen(value: object) -> Hashable:
    """Return an answer of the store as a value that can be a key."""
    if isinstance(value, Page):
        return (*value.records, value.next)
    if isinstance(value, list):
        return tuple(cast("list[str]", value))
    if isinstance(value, Barred):
        return value.previous, value.bar, tuple(value.ids)
    assert isinstance(value, Hashable)
    return value
