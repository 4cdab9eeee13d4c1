"""Sessions in this process's memory: fast, not shared, gone when the process ends."""

import heapq
import logging
import threading
import time
from bisect import bisect_right

from coatcheck.core.policy import BAR_KEPT
from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.stores.protocol import Barred, Conflict, Page, refuse
from coatcheck.waiting import Kind

_log = logging.getLogger("coatcheck")


class MemoryStore:
    """A dict, and a heap for expiry. Safe to use from several threads of one process."""

    kind = Kind.EITHER

    def __init__(self) -> None:
        self._stored: dict[str, Record | Tombstone] = {}
        self._due: list[tuple[int, str]] = []
        self._subjects: dict[str, dict[str, None]] = {}  # in the order of G4
        self._bars: dict[str | None, int] = {}
        self._counters: dict[str, tuple[int, int]] = {}
        self._lock = threading.RLock()
        _log.warning("memory store: sessions end with this process and no other process sees them")

    async def load(self, id: str, /) -> Stored:
        """See `Store.load`."""
        return self._stored.get(id)

    async def save(self, record: Record, base: Record | None, /) -> None:
        """See `Store.save`."""
        with self._lock:
            stored = self._stored.get(record.id)
            if not (stored is base if base is None else base.is_same_save(stored)):
                return refuse(record, stored)
            if isinstance(stored, Record) and stored.seen_at > record.seen_at:
                record = record._replace(seen_at=stored.seen_at)
            self._put(record, record.expires_at)

    async def touch(self, record: Record, seen_at: int, /) -> None:
        """See `Store.touch`."""
        with self._lock:
            stored = self._stored.get(record.id)
            if isinstance(stored, Record) and stored.seen_at < seen_at:
                self._stored[record.id] = stored._replace(seen_at=seen_at)

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        """See `Store.end`."""
        with self._lock:
            stored = self._stored.get(tombstone.id)
            if base is not None and not base.is_same_save(stored):
                raise Conflict(stored)
            if not isinstance(stored, Tombstone):
                self._put(tombstone, tombstone.keep_until)
            return stored

    async def enlist(
        self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
    ) -> list[str] | None:
        """See `Store.enlist`."""
        if record.subject is None:
            return []
        with self._lock:
            bar = self._bars.get(record.subject, 0)
            if opened_at <= bar != own_bar or opened_at <= self._bars.get(None, 0):
                return None
            self._forget(record.subject, record.id)
            if isinstance(self._stored.get(record.id), Record):
                self._subjects.setdefault(record.subject, {})[record.id] = None
            ids = self._subjects.get(record.subject, {})
            return list(ids) if limit is not None and len(ids) > limit else []

    async def delist(self, subject: str, id: str, /) -> None:
        """See `Store.delist`."""
        with self._lock:
            self._forget(subject, id)

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        """See `Store.bar`."""
        with self._lock:
            previous = self._bars.get(subject, 0)
            bar = self._bars[subject] = max(previous + 1, at)
            ids = [] if subject is None else sorted(self._subjects.get(subject, ()))
            return Barred(previous, bar, ids)

    async def is_barred(self, subject: str, since: int, /) -> bool:
        """See `Store.is_barred`."""
        with self._lock:
            return since <= max(self._bars.get(subject, 0), self._bars.get(None, 0))

    async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
        """See `Store.page`."""
        with self._lock:
            ids = sorted(self._stored if subject is None else self._subjects.get(subject, ()))
            start = bisect_right(ids, after) if after else 0
            chosen = ids[start : start + limit]
            found = [self._stored.get(id) for id in chosen]
            if subject is not None:
                for id, stored in zip(chosen, found, strict=True):
                    if not isinstance(stored, Record):
                        self._forget(subject, id)
        records = [record for record in found if isinstance(record, Record)]
        return Page(records, chosen[-1] if start + limit < len(ids) else None)

    async def count(self, subject: str | None, /) -> int:
        """See `Store.count`."""
        page = await self.page(subject, None, len(self._stored) + 1)
        return len(page.records)

    async def tally(self, key: str, now: int, until: int, /) -> int:
        """See `Store.tally`."""
        with self._lock:
            count = self._counters.get(key, (0, until))[0] + 1
            self._counters[key] = count, until
            return count

    async def sweep(self, before: int, limit: int, /) -> int:
        """See `Store.sweep`."""
        swept = 0
        with self._lock:
            while swept < limit and self._due and self._due[0][0] < before:
                _, id = heapq.heappop(self._due)
                stored = self._stored.get(id)
                if stored is None:
                    continue
                if (due := _due_at(stored)) >= before:
                    heapq.heappush(self._due, (due, id))
                    continue
                del self._stored[id]
                if isinstance(stored, Record):
                    swept += 1
                    if stored.subject is not None:
                        self._forget(stored.subject, id)
            self._bars = {who: at for who, at in self._bars.items() if at > before - BAR_KEPT}
            self._counters = {k: kept for k, kept in self._counters.items() if kept[1] >= before}
        return swept

    async def time(self) -> int:
        """See `Store.time`: this machine's clock."""
        return time.time_ns() // 1_000_000

    async def close(self) -> None:
        """See `Store.close`."""

    def _forget(self, subject: str, id: str) -> None:
        ids = self._subjects.get(subject, {})
        ids.pop(id, None)
        if not ids:
            self._subjects.pop(subject, None)

    def _put(self, entry: Record | Tombstone, due: int) -> None:
        if entry.id not in self._stored or isinstance(entry, Tombstone):
            heapq.heappush(self._due, (due, entry.id))
        self._stored[entry.id] = entry


def _due_at(stored: Record | Tombstone) -> int:
    return stored.expires_at if isinstance(stored, Record) else stored.keep_until
