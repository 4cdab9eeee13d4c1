"""What every store does, and what it does about absent, expired and repeated.

A store keeps records and an index of each subject's sessions. It never looks into a payload, never
judges an expiry (that is the caller's, who has the clock) and turns every failure of its driver
into `StoreUnavailable`. All methods of `Store` are required.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from coatcheck.core.record import Record, Stored, Tombstone
from coatcheck.errors import CoatcheckError, StoreUnavailable
from coatcheck.waiting import Kind


class Conflict(CoatcheckError):
    """A conditional write met something else than its base; `stored` is what is there now."""

    def __init__(self, stored: Stored) -> None:
        super().__init__("the session was written by another request")
        self.stored = stored


class Unconfirmed(StoreUnavailable):
    """The write is stored, but not in as many places as were asked for: a failure may undo it."""


class Page(NamedTuple):
    """Some records of a listing, and where the next page starts (`None`: this was the last).

    Attributes:
        unreadable: ids of what is stored there beside them and is no record of this version.
    """

    records: list[Record]
    next: str | None
    unreadable: Sequence[str] = ()


class Barred(NamedTuple):
    """What raising a bar found and did.

    Attributes:
        previous: the bar that stood before; 0 for none.
        bar: the bar that stands now; no other raising gives the same.
        ids: the subject's sessions.
    """

    previous: int
    bar: int
    ids: list[str]


class Store(Protocol):
    """Keeps sessions. Times are milliseconds UTC and always given; `time` alone reads a clock.

    Every method may raise `StoreUnavailable`: no answer, or none that can be trusted. A write that
    raised it may have been applied.
    """

    @property
    def kind(self) -> Kind:
        """How the store waits; a blocking one is for `BlockingSessions`, and so on."""
        ...

    async def load(self, id: str, /) -> Stored:
        """Return the record or the tombstone under `id`, or `None`; an expired record as it is.

        Raises:
            Undecodable: what is there is neither; it stays.
        """
        ...

    async def save(self, record: Record, base: Record | None, /) -> None:
        """Write `record` if `base` is what is stored, by version and stamp (S1, S5).

        With `base` of `None` nothing may be stored, no tombstone either. A refusal that finds
        `record` itself is success: the write was repeated (S4). The stored `seen_at` never falls
        below one that a touch left there (T1). An expired record counts as present.

        Raises:
            Conflict: something else is stored; it carries that.
            Undecodable: something unreadable is stored; it stays.
        """
        ...

    async def touch(self, record: Record, seen_at: int, /) -> None:
        """Raise the stored `seen_at` to the later of both, whatever the version; nothing else.

        It never shortens a life, never revives: absent or ended stays so (T1).
        """
        ...

    async def end(self, tombstone: Tombstone, base: Record | None = None, /) -> Stored:
        """Put `tombstone` in the place of the record and return what was there.

        A tombstone that is there already stays and is returned; an absent id gets the tombstone.
        With a `base`, only that version and stamp is ended.

        Raises:
            Conflict: not `base` is stored. Never without a `base`.
            Undecodable: neither is what is there; with a `base` it stays, without it is replaced.
        """
        ...

    async def enlist(
        self, record: Record, opened_at: int, own_bar: int, limit: int | None = None, /
    ) -> list[str] | None:
        """Put a stored record at the end of its subject's index, unless a bar forbids it (G2).

        Without a subject there is no index, and the answer is an empty list.

        Refused, with `None`, when the subject's bar is at `opened_at` or later and is not
        `own_bar`, or everybody's bar is at `opened_at` or later. Otherwise the ids in the index
        afterwards, in the order in which they were put there, if they are more than `limit`, else
        none (G4). Of an entry that is there already, the place is the last one.

        One atomic step, but for the look at everybody's bar, which may come before it.
        """
        ...

    async def delist(self, subject: str, id: str, /) -> None:
        """Remove an ended session from its subject's index; absent is fine."""
        ...

    async def bar(self, subject: str | None, at: int, /) -> Barred:
        """Raise the subject's bar to `at`, or just above where it is, and read its index (G3).

        One atomic step. The bar is kept for a day. `None` raises everybody's, without any ids.
        """
        ...

    async def is_barred(self, subject: str, since: int, /) -> bool:
        """Tell whether the subject's bar, or everybody's, is at `since` or later.

        It writes nothing. Nobody asks about more than a day ago, as bars are not kept for longer.
        """
        ...

    async def page(self, subject: str | None, after: str | None, limit: int, /) -> Page:
        """Return records of `subject`, or of everybody, page by page from the start (`None`).

        A record that is there during the whole listing is on some page; expired ones that were not
        swept yet may be, tombstones never. Unreadable ones are named where their id can be told.
        Pages may be shorter than `limit`, and empty. Entries of the index whose record is gone are
        removed on the way.
        """
        ...

    async def count(self, subject: str | None, /) -> int:
        """Return how many records there are; unreadable ones may count.

        For everybody it may read every key.
        """
        ...

    async def tally(self, key: str, now: int, until: int, /) -> int:
        """Add one to a counter, from nothing where there is none, and return what it is then.

        One atomic step. Nobody asks about it from `until` on, so that it may be forgotten then; a
        key has one `until`.
        """
        ...

    async def sweep(self, before: int, limit: int, /) -> int:
        """Forget at most `limit` records that expired before `before`, and whatever else is over.

        Returns how many records went; 0 from a store that forgets by itself.
        """
        ...

    async def time(self) -> int:
        """Return the store's own clock: the one clock of all processes (T5)."""
        ...

    async def close(self) -> None:
        """Let go of connections. Twice is fine."""
        ...


class Evicting(Protocol):
    """What a store has besides `Store` if its server throws records away when memory is full."""

    async def evicted(self) -> int:
        """Return how many the server threw away since this was last called; 0 the first time.

        It may count others' records in that server, too. Asked once or twice a minute.

        Raises:
            StoreUnavailable: it cannot be known now.
        """
        ...


def refuse(record: Record, stored: Stored) -> None:
    """Answer a refused save: quietly when `stored` is `record`'s own write, else by `Conflict`."""
    if not record.is_same_save(stored):
        raise Conflict(stored)
