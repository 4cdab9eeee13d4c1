"""The plain model: sessions as dicts in one place, requests that happen one after the other.

It is written from the table of docs/explanation/semantics.md, not from the library.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

Data = dict[str, Any]
IDLE, SHARE, ABSOLUTE, TOMBSTONE = 1_800_000, 90_000, 43_200_000, 120_000
RENEW, GRACE = 900_000, 60_000


class Secret(NamedTuple):
    """Which token of a lineage is the current one.

    Attributes:
        number: how many renewals the lineage has had.
        is_proposed: whether nobody has presented it yet.
        former_until: until when the one before is good, if it is not proposed.
        renewed_at: since when it is current.
    """

    renewed_at: int
    number: int = 0
    is_proposed: bool = False
    former_until: int = 0

    def honours(self, number: int, now: int) -> bool:
        is_former = number == self.number - 1 and (self.is_proposed or now < self.former_until)
        return number == self.number or is_former

    def is_due(self, now: int) -> bool:
        return now - self.renewed_at >= RENEW and not self.honours(self.number - 1, now)

    def presented(self, number: int, now: int) -> tuple["Secret", bool]:
        """Return what is current after a commit with token `number`, and whether to say so."""
        if number == self.number and self.is_proposed:
            return self._replace(is_proposed=False, former_until=now + GRACE), False
        if number == self.number and self.is_due(now):
            return Secret(now, self.number + 1, is_proposed=True), True
        return self, number == self.number - 1 and self.is_proposed


@dataclass
class Kept:
    """A session as it should be stored.

    Attributes:
        lineage: how many privilege changes it has had; secret: the renewals since the last.
        over: why it is over, if it is: `moved`, `ended`, `expired`, or `gone`: expired and ended.
        over_at: since when.
        recorded_at: activity that is surely recorded, but for the touch share; seen_at: all of it.
    """

    id: str
    subject: str | None
    data: Data
    recorded_at: int
    seen_at: int
    ends_at: int
    secret: Secret
    lineage: int = 0
    over: str | None = None
    over_at: int = 0
    moved_to: str | None = None

    def is_surely_alive(self, now: int) -> bool:
        idle_end = self.recorded_at + IDLE - SHARE
        return self.over is None and now < min(idle_end, self.ends_at)

    def is_surely_expired(self, now: int) -> bool:
        return now >= min(self.seen_at + IDLE, self.ends_at)


class Base(NamedTuple):
    """What a request opened, and with which token of its lineage."""

    id: str
    subject: str | None
    lineage: int
    data: Data
    secret: Secret
    number: int


@dataclass(frozen=True)
class Diff:
    """Plain edits."""

    before: Data
    after: Data

    def __call__(self, data: Data) -> None:
        """Lay them over other data, key by key, and inside dicts too."""
        for key in self.before.keys() - self.after.keys():
            data.pop(key, None)
        for key, new in self.after.items():
            old = self.before.get(key)
            if old == new:
                continue
            if isinstance(new, dict):
                data.setdefault(key, {})
                Diff(old or {}, cast("Data", new))(data[key])
            else:
                data[key] = new


Step = Callable[[Data], None]


@dataclass
class Wish:
    """What a request wants: edits, and one of `sign_in`, `step_up`, `rotate`, `end`, or nothing.

    Attributes:
        steps: done to the data, in order; own_steps: those since the sign-in.
        is_cleared: the data was cleared by that name.
        bars: by subject, the bar that this request raised.
    """

    base: Base | None
    opened_at: int
    data: Data
    mark: Data = field(default_factory=Data)
    steps: list[Step] = field(default_factory=list[Step])
    own_steps: list[Step] = field(default_factory=list[Step])
    intent: str = "edit"
    subject: str | None = None
    is_cleared: bool = False
    ending: Base | None = None
    bars: dict[str, int] = field(default_factory=dict[str, int])

    def __post_init__(self) -> None:
        self.mark = deepcopy(self.data)

    def note(self) -> None:
        """Turn what was edited since the last time into a step."""
        if self.data != self.mark:
            self.add(Diff(self.mark, deepcopy(self.data)))

    def add(self, step: Step) -> None:
        self.steps.append(step)
        self.own_steps.append(step)
        self.mark = deepcopy(self.data)

    def run(self, step: Step) -> None:
        self.note()
        step(self.data)
        self.add(step)

    def sign_in(self, subject: str) -> None:
        if self.base is not None and self.base.subject not in (None, subject):
            self.data.clear()
            self.mark, self.steps = {}, []
        self.note()
        self.own_steps = []
        self.intent, self.subject = "sign_in", subject

    def end(self) -> None:
        self.ending, self.base = self.base, None
        self.data.clear()
        self.mark, self.steps = {}, []


class Expected(NamedTuple):
    """What a request is to be answered.

    Attributes:
        cookies: `set`, `delete`, or nothing.
        id: the session it is afterwards in: its id, `new`, or `None`.
        data: what that holds.
        is_again: whether its token may have been handed out before.
    """

    status: int
    cookies: frozenset[str]
    id: str | None
    subject: str | None = None
    data: Data = {}  # noqa: RUF012 - never changed
    is_again: bool = False


def rebased(steps: list[Step], data: Data) -> Data:
    """Return data with steps laid over it."""
    result = deepcopy(data)
    for step in steps:
        step(result)
    return result


class Plain:
    """All sessions, and the rules."""

    def __init__(self) -> None:
        self.sessions: dict[str, Kept] = {}
        self.bars: dict[str, int] = {}

    def live(self, id: str) -> Kept | None:
        kept = self.sessions[id]
        return kept if kept.over is None else None

    def is_barred(self, wish: Wish) -> bool:
        bar = self.bars.get(wish.subject or "", 0)
        return wish.opened_at <= bar != wish.bars.get(wish.subject or "", 0)

    def end(self, id: str, why: str, now: int, moved_to: str | None = None) -> bool:
        """End a session; tell whether it was not over."""
        if (kept := self.live(id)) is None:
            return False
        kept.over, kept.over_at, kept.moved_to = why, now, moved_to
        return True

    def end_all(self, subject: str, now: int, keep: Wish | None) -> int:
        """End all sessions of a subject but the one to keep, in the hands the request knows."""
        previous = self.bars.get(subject, 0)
        bar = self.bars[subject] = max(previous + 1, now)
        if keep and (previous < keep.opened_at or keep.bars.get(subject) == previous):
            keep.bars = {subject: bar}
        ended = 0
        for kept in list(self.sessions.values()):
            base = keep.base if keep else None
            is_kept = base is not None and (base.id, base.lineage) == (kept.id, kept.lineage)
            if kept.subject == subject and kept.over is None and not is_kept:
                ended += self.end(kept.id, "ended", now)
            elif kept.subject == subject and kept.over == "expired":
                kept.over = "gone"
        return ended

    def commit(self, wish: Wish, now: int) -> Expected:
        """Carry out a wish, but for making a new session, whose id only the library knows."""
        deleted = frozenset[str]()
        if wish.ending is not None and self.end(wish.ending.id, "ended", now):
            deleted = frozenset({"delete"})
        wish.note()
        if wish.base is None:
            return self._without_session(wish, deleted)
        base, kept = wish.base, self.sessions[wish.base.id]
        is_edited = wish.data != base.data
        if wish.intent == "edit" and not is_edited:
            if self._may_renew(wish, base, kept):
                return self._renew(wish, base, kept, now)
            return self._seen(kept, wish, Expected(200, deleted, base.id, base.subject, base.data))
        if wish.intent == "edit" and wish.is_cleared and not wish.data:
            was_live = self.end(base.id, "ended", now)
            return Expected(200, frozenset({"delete"} if was_live else ()), None)
        if wish.intent == "sign_in":
            return self._sign_in(wish, base, kept, now)
        return self._change(wish, base, kept, now)

    def _without_session(self, wish: Wish, deleted: frozenset[str]) -> Expected:
        if wish.intent == "sign_in":
            return self._new(wish, wish.data, deleted)
        if wish.data:
            return Expected(200, self._set(wish, deleted), "new", None, wish.data)
        return Expected(200, deleted, None)

    def _change(self, wish: Wish, base: Base, kept: Kept, now: int) -> Expected:
        """An edit, a step-up, a rotation."""
        is_new_lineage = kept.over is None and kept.lineage != base.lineage
        if is_new_lineage or kept.over == "moved":
            return Expected(409, frozenset(), base.id)
        if kept.over is not None:
            return Expected(200 if wish.intent == "edit" else 401, frozenset(), None)
        data = rebased(wish.steps, kept.data)
        if wish.intent == "edit" and not data:
            self.end(kept.id, "ended", now)
            return Expected(200, frozenset({"delete"}), None)
        kept.data = data
        if wish.intent == "edit":
            if self._may_renew(wish, base, kept):
                return self._renew(wish, base, kept, now)
            return self._seen(kept, wish, Expected(200, frozenset(), kept.id, kept.subject, data))
        self._promote(kept, now)
        return self._seen(
            kept, wish, Expected(200, frozenset({"set"}), kept.id, kept.subject, data)
        )

    def _may_renew(self, wish: Wish, base: Base, kept: Kept) -> bool:
        is_same = kept.over is None and kept.lineage == base.lineage
        return is_same and (base.secret.is_proposed or base.secret.is_due(wish.opened_at))

    def _renew(self, wish: Wish, base: Base, kept: Kept, now: int) -> Expected:
        kept.secret, is_told = kept.secret.presented(base.number, now)
        cookies = frozenset({"set"} if is_told else ())
        expected = Expected(200, cookies, kept.id, kept.subject, kept.data, is_again=True)
        return self._seen(kept, wish, expected)

    def _promote(self, kept: Kept, now: int) -> None:
        kept.lineage += 1
        kept.secret = Secret(now)

    def _sign_in(self, wish: Wish, base: Base, kept: Kept, now: int) -> Expected:
        is_same = kept.over is None and kept.lineage == base.lineage
        own = rebased(wish.own_steps, {})
        if self.is_barred(wish):
            return Expected(401, frozenset(), base.id)
        if wish.subject == base.subject:
            if is_same:
                kept.data = rebased(wish.steps, kept.data)
                self._promote(kept, now)
                kept.recorded_at = kept.seen_at = now
                kept.ends_at = now + ABSOLUTE
                return Expected(200, frozenset({"set"}), kept.id, kept.subject, kept.data)
            if kept.over is not None:
                return self._new(wish, own)
            data = rebased(wish.steps, kept.data)
            if base.subject in wish.bars:  # kept in the hands it was in then, not in these
                self.end(kept.id, "ended", now)
            return self._new(wish, data)
        if is_same:
            data = rebased(wish.steps, kept.data) if base.subject is None else wish.data
            self.end(kept.id, "moved", now, wish.subject)
            return self._new(wish, data)
        if base.subject is None and kept.over == "moved" and kept.moved_to == wish.subject:
            return self._new(wish, wish.data)
        return self._new(wish, own if base.subject is None else wish.data)

    def _new(self, wish: Wish, data: Data, deleted: frozenset[str] = frozenset()) -> Expected:
        if self.is_barred(wish):
            return Expected(401, frozenset(), None)
        return Expected(200, self._set(wish, deleted), "new", wish.subject, data)

    def _set(self, wish: Wish, deleted: frozenset[str]) -> frozenset[str]:
        """Set a cookie, maybe in the place of the one that is deleted."""
        is_same = wish.ending is not None and bool(wish.ending.subject) is bool(wish.subject)
        return frozenset({"set"}) if is_same else deleted | {"set"}

    def _seen(self, kept: Kept, wish: Wish, expected: Expected) -> Expected:
        kept.recorded_at = max(kept.recorded_at, wish.opened_at)
        return expected
