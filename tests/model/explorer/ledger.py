"""What was ever stored, in its order, and what must never happen while it is written.

The letters are those of the properties: [a] ended stays ended, [b] no fixation and no write across
a privilege change, [c] no data crosses subjects, [d] an honest browser is not signed out, [e] no
acknowledged edit is lost, [g] ending all is exact, [h] each request gets its own answer.
"""

from collections.abc import Callable, Hashable
from typing import NamedTuple

from coatcheck.codec import MessagePackCodec
from coatcheck.core.merge import Data
from coatcheck.core.record import Ended, Record, Stored, Tombstone
from coatcheck.core.settings import Settings
from tests.model.explorer.request import items_of
from tests.model.explorer.run import Run
from tests.model.explorer.store import Call

Items = frozenset[str]
SETTINGS = Settings(MessagePackCodec())


class Closed(NamedTuple):
    """How a session ended, and what was in it then."""

    why: str
    items: Items
    by: int


def is_renewal(before: Stored, after: Record) -> bool:
    """Tell whether a save proposed a successor to a token."""
    if not isinstance(before, Record) or before.lineage_digest != after.lineage_digest:
        return False
    return before.digest != after.digest


class Written(NamedTuple):
    """A save that was applied."""

    request: int
    before: Stored
    after: Record


class Ledger:
    """Watches every write.

    Attributes:
        flags: what went wrong.
        states: all that was ever stored under an id, in order.
        saves: every save that was applied.
        closed: the sessions that ended.
        creators: by id, the number of the request that made it; -1 before the program started.
        bars: by the number of the request that raised it, subject and bar.
        successors: the digests of tokens that renewals handed out, each while it was good.
        issued: by token digest, the number of the request that was handed it.
    """

    def __init__(self, data_of: Callable[[Record], Data]) -> None:
        self._data_of = data_of
        self.owners: dict[str, str | None] = {}
        self.runs: list[Run] = []
        self.flags: set[str] = set()
        self.states: dict[str, list[Stored]] = {}
        self.saves: list[Written] = []
        self.closed: dict[str, Closed] = {}
        self.creators: dict[str, int] = {}
        self.bars: list[tuple[int, str, int]] = []
        self.issued: dict[bytes, int] = {}
        self._late: set[tuple[str, str]] = set()
        self.successors: set[bytes] = set()
        self._successors: dict[bytes, bytes] = {}

    def begin(self, first: Stored) -> None:
        """Take note of the session there is before the program starts."""
        assert isinstance(first, Record)
        self.states[first.id] = [first]
        self.issued[first.digest] = -1

    def key(self) -> Hashable:
        """Return what later checks depend on besides what is stored now."""
        return (
            frozenset(self.flags),
            frozenset(self.closed.items()),
            frozenset(self.creators.items()),
            tuple(self.bars),
            frozenset(self._late),
            frozenset(self.issued.items()),
        )

    def wrote(self, call: Call, before: Stored, after: Stored, result: object) -> None:
        """Take note of a call that was applied."""
        if call.name == "bar":
            subject, bar = call.args[0], getattr(result, "bar", 0)
            barred: tuple[str, ...] = (subject,) if subject else ("u1", "u2")
            self.bars += [(call.request, each, bar) for each in barred]
        by = self.runs[call.request]
        if call.name in ("save", "end") and by.base is not None and by.base.id == call.args[0].id:
            by.decisive = before
        if before == after or after is None:
            return
        self.states.setdefault(after.id, [before]).append(after)
        if isinstance(after, Tombstone):
            if isinstance(before, Tombstone):
                self.flags.add("[a] a session ended twice")
            items = self.items_of(before) if isinstance(before, Record) else frozenset[str]()
            self.closed[after.id] = Closed(after.why, items, call.request)
            if after.why == Ended.MOVED and call.request not in self.creators.values():
                self.flags.add("[d] a session was closed before another had its place")
            if after.why == Ended.MOVED and isinstance(before, Record) and before.subject is None:
                self._moved(call.request, items)
        elif call.name == "save":
            self._saved(Written(call.request, before, after))
        elif isinstance(before, Record) and before._replace(seen_at=after.seen_at) != after:
            self.flags.add(f"[a] a {call.name} wrote more than the activity")
        elif isinstance(before, Record) and after.seen_at < before.seen_at:
            self.flags.add("[a] activity was taken back")

    def _saved(self, write: Written) -> None:
        self.saves.append(write)
        before, after = write.before, write.after
        if isinstance(before, Tombstone) or after.id in self.closed:
            self.flags.add("[a] an ended session lives again")
        old = self.items_of(before) if isinstance(before, Record) else frozenset[str]()
        new = self.items_of(after)
        if before is None:
            self.creators.setdefault(after.id, write.request)
        if isinstance(before, Record):
            if before.subject != after.subject:
                self.flags.add("[c] an id changed its subject")
            if after.seen_at < before.seen_at:
                self.flags.add("[a] activity was taken back")
            for item in new - old:
                self._across(item, before)
        if after.former_digest is not None and is_renewal(before, after):
            successor = self._successors.setdefault(after.former_digest, after.digest)
            if successor != after.digest:
                self.flags.add("[f] a token has two successors")
        for item in new:
            if (owner := self.owners.get(item)) not in (None, after.subject):
                self.flags.add(f"[c] something of {owner} is in a session of {after.subject}")
        self._late |= {(after.id, item) for item in new - old if self._is_over(item, after.id)}

    def _across(self, item: str, before: Record) -> None:
        """An edit goes into the lineage it was opened under, or into a session of its own."""
        for run in self.runs:
            if item in run.handler.names() and run.base is not None:
                in_place = run.base.id == before.id
                if in_place and run.base.lineage_digest != before.lineage_digest:
                    self.flags.add("[b] an edit crossed a privilege change")

    def _is_over(self, item: str, into: str) -> bool:
        """Tell whether every session that an item was in has ended, so that nothing may copy it."""
        homes = [closed.why for closed in self.closed.values() if item in closed.items]
        is_live = any(
            isinstance(states[-1], Record) and item in self.items_of(states[-1])
            for id, states in self.states.items()
            if id != into
        )
        return bool(homes) and Ended.MOVED not in homes and not is_live

    def _moved(self, request: int, items: Items) -> None:
        """What a visitor had is in the session that took the place of the visitor's."""
        for states in self.states.values():
            new = states[-1]
            if not isinstance(new, Record) or new.subject is None:
                continue
            if self.creators.get(new.id) == request and not items <= self.items_of(new):
                self.flags.add("[e] a visitor's data did not move along")

    def items_of(self, record: Record) -> Items:
        """Return the items in a record."""
        return items_of(self._data_of(record))

    def log_of(self, record: Record) -> list[str]:
        """Return what was counted in a record."""
        found: list[str] = self._data_of(record).get("log", [])
        return found

    def items_now(self, id: str) -> Items:
        """Return the items in what is stored under an id."""
        stored = self.states[id][-1] if id in self.states else None
        return self.items_of(stored) if isinstance(stored, Record) else frozenset()

    def outlived(self, id: str) -> Items:
        """Return what was saved into a session after the session it is from had ended."""
        return frozenset(item for into, item in self._late if into == id)
