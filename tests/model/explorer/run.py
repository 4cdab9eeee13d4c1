"""A request that is being run: where it is, what it found, what it was answered."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum

from coatcheck import Done, Holder, Session, Token
from coatcheck.core.record import Record, Stored
from coatcheck.core.standing import Standing
from tests.model.explorer.request import Handler, Request, Who


class Phase(Enum):
    """How far a request has come."""

    UNSENT = "unsent"
    OPENING = "opening"
    HANDLING = "handling"
    COMMITTING = "committing"
    ANSWERED = "answered"
    """Its answer is under way."""
    OVER = "over"
    CRASHED = "crashed"
    """Its server died; there is no answer."""


@dataclass(eq=False)
class Run:
    """One request of a program, as far as it has come.

    Attributes:
        learned: the answers it got from the store, in order.
        since: how many states its session had had when its commit began.
        opened_at: the time it was opened at.
        turn: how many commits had begun before its own.
        found: the items its session had when it was opened.
        final: what it took for stored when it was answered.
        decisive: what its last write to its session met.
        is_alone: no other request is answered by its server, so that nothing joins its save.
        is_faulty: something went wrong for it: a lost call, a cancellation.
    """

    number: int
    request: Request
    handler: Handler
    phase: Phase = Phase.UNSENT
    sent: tuple[Token, ...] = ()
    session: Session | None = None
    base: Record | None = None
    standing: Standing | None = None
    opened_at: int = 0
    turn: int = 0
    found: frozenset[str] = frozenset()
    since: int = 0
    status: int | None = None
    done: Done | None = None
    cookies: dict[Holder, Token | None] = field(default_factory=dict[Holder, Token | None])
    final: Record | None = None
    kept: frozenset[str] = frozenset()
    error: Exception | None = None
    decisive: Stored = None
    is_alone: bool = False
    is_faulty: bool = False
    learned: list[Hashable] = field(default_factory=list[Hashable])

    @property
    def is_browsers(self) -> bool:
        return self.request.who is Who.BROWSER

    @property
    def cookie(self) -> str:
        """Return `set`, `delete` or `-`: the table's last column."""
        if not self.cookies:
            return "-"
        return "set" if any(self.cookies.values()) else "delete"

    @property
    def is_under_way(self) -> bool:
        return self.phase in (Phase.OPENING, Phase.HANDLING, Phase.COMMITTING)

    @property
    def is_cancellable(self) -> bool:
        """Tell whether something of interest can be interrupted."""
        is_at_work = self.is_under_way and self.request.who is Who.STAFF
        return is_at_work or self.phase is Phase.COMMITTING

    def key(self) -> Hashable:
        answer = self.status, frozenset(self.cookies.items()), self.final
        return self.phase, self.sent, tuple(self.learned), self.is_faulty, self.since, answer
