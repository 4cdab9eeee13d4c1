"""One request of a program: who sends it, which server answers it, what its handler does."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Self

from coatcheck import Session, Sessions
from coatcheck.core.record import Record


class Who(Enum):
    """Where a request comes from."""

    BROWSER = "browser"
    """With the newest cookies the browser has when it is sent."""
    ATTACKER = "attacker"
    """With the first token, which it stole."""
    STAFF = "staff"
    """Without a session: an administrator, a job."""


class Request(NamedTuple):
    """A request as a program says it: `browser: edit, sign_in u1`.

    Attributes:
        server: the number of the server that answers it.
        steps: what its handler does, in order.
    """

    who: Who
    steps: tuple[str, ...]
    server: int = 0

    @classmethod
    def of(cls, text: str, server: int = 0) -> Self:
        who, _, steps = text.partition(": ")
        return cls(Who(who), tuple(steps.split(", ")), server)

    @property
    def row(self) -> str | None:
        """The row of the table of outcomes it is in, where there is one."""
        steps = self.steps
        if any(step.startswith("end_all") for step in steps):
            steps = tuple(step for step in steps if not step.startswith("end_all")) or ("read",)
        if "end" in steps or "empty" in steps:
            return "end" if len(steps) == 1 else None
        for step in steps:
            if step.startswith("sign_in"):
                return "sign_in"
        if "step_up" in steps or "rotate" in steps:
            return "rotate"
        return "read" if steps == ("read",) else "edit"

    @property
    def signs_in(self) -> bool:
        return any(step.startswith("sign_in") for step in self.steps)

    @property
    def ends(self) -> bool:
        return any(step.startswith(("end", "empty", "revoke")) for step in self.steps)

    def __str__(self) -> str:
        return f"{self.who.value}: {', '.join(self.steps)}"


@dataclass(eq=False)
class Handler:
    """Runs the steps of a request, and keeps account of what it put into its session.

    Attributes:
        number: of the request in its program; each item it writes has its name from it.
        items: what it put in and must be there when it is acknowledged.
        owners: of every item written, by whose session it was when it was written.
        bars: the subjects all of whose sessions it ended.
    """

    number: int
    request: Request
    owners: dict[str, str | None]
    items: set[str]
    bars: list[tuple[str, Record | None]]

    async def run(self, sessions: Sessions, session: Session) -> None:
        for step in self.request.steps:
            await self._step(step, sessions, session)

    async def _step(self, step: str, sessions: Sessions, session: Session) -> None:
        action, _, argument = step.partition(" ")
        if action == "read":
            session.get("cart")
        elif action == "edit":
            session[f"edit{self.number}"] = 1
            self._note(session, f"edit{self.number}")
        elif action == "nested":
            session.setdefault("cart", {})[f"nested{self.number}"] = 1
            self._note(session, f"nested{self.number}")
        elif action == "count":
            session.edit(self._count)
            self._note(session, f"count{self.number}")
        elif action == "sign_in":
            session.sign_in(argument)
            mine = (None, argument)
            self.items &= {item for item in self.items if self.owners[item] in mine}
        elif action == "step_up":
            session.step_up(2)
        elif action == "rotate":
            session.privilege_changed()
        elif action in ("end", "empty"):
            session.end() if action == "end" else session.clear()
            self.items.clear()
        elif action == "end_all":
            base = session.state.base
            await sessions.end_all(argument, keep=session)
            self.bars.append((argument, base))
        else:
            raise AssertionError(step)

    def names(self) -> set[str]:
        """Return the names of all it may have written."""
        return {f"{step}{self.number}" for step in self.request.steps}

    def _count(self, data: dict[str, Any]) -> None:
        data.setdefault("log", []).append(f"count{self.number}")

    def _note(self, session: Session, item: str) -> None:
        self.items.add(item)
        self.owners[item] = session.subject


def items_of(data: dict[str, Any]) -> frozenset[str]:
    """Return the items in a session's data, wherever they are in it."""
    found = {key for key in data if key not in ("cart", "log")}
    return frozenset(found | set(data.get("cart", ())) | set(data.get("log", ())))
