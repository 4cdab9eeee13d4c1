"""Tell what a search found, so that one can read it."""

from collections.abc import Iterable
from typing import Any, cast

from coatcheck import Token
from coatcheck.core.record import Record, Tombstone
from tests.model.explorer.run import Run
from tests.model.explorer.store import Call, Fate
from tests.model.explorer.world import World


class Names:
    """Calls sessions A, B, C, and their lineages 1, 2, 3, in the order in which they appear."""

    def __init__(self) -> None:
        self._sessions: dict[str, str] = {}
        self._lineages: dict[tuple[str, bytes], int] = {}

    def session(self, id: str) -> str:
        return self._sessions.setdefault(id, chr(ord("A") + len(self._sessions)))

    def lineage(self, id: str, digest: bytes) -> str:
        known = [key for key in self._lineages if key[0] == id]
        number = self._lineages.setdefault((id, digest), len(known) + 1)
        return f"{self.session(id)}{number}"

    def show(self, value: Any) -> str:
        """Spell a value out: `A2 v3 of u1` is a record, `A2` a token of the same lineage."""
        if isinstance(value, Record):
            lineage = self.lineage(value.id, value.lineage_digest)
            return f"{lineage} v{value.version} of {value.subject or 'nobody'}"
        if isinstance(value, Tombstone):
            moved = f" to {value.moved_to_subject}" if value.moved_to_subject else ""
            return f"{self.session(value.id)}: {value.why}{moved}"
        if isinstance(value, Token):
            return self.lineage(value.id, value.digests().lineage)
        if isinstance(value, Fate):
            return value.value
        if isinstance(value, tuple):
            match several := cast("tuple[object, ...]", value):
                case (stored, bool(is_conflict)):
                    return f"{'conflict with ' * is_conflict}{self.show(stored)}"
                case _:
                    return ", ".join(map(self.show, several))
        if isinstance(value, str) and len(value) == 22:
            return self.session(value)
        return str(value)

    def call(self, call: Call) -> str:
        args = [arg for arg in call.args if arg is not None and not isinstance(arg, int)]
        if call.name == "save":
            record, base = call.args
            return f"save {self.show(record)}" + (f" over v{base.version}" if base else "")
        return f"{call.name} {', '.join(map(self.show, args))}"

    def answer(self, run: Run) -> str:
        cookies = [
            f"set {self.show(token)}" if token else f"delete the {holder.value} one"
            for holder, token in run.cookies.items()
        ]
        answer = f"was answered {run.status}" if run.status else "was not answered"
        return f"{answer} {', '.join(cookies)}".strip()


def told(world: World) -> Iterable[str]:
    """Yield what happened in a world, a line each, what was answered, and what is wrong."""
    names = Names()
    for request, what, about, learned in world.trace:
        who = f"{request} " if request >= 0 else ""
        if isinstance(about, Call):
            yield f"{who}{what}: {names.call(about)} -> {names.show(learned)}"
        else:
            yield f"{who}{what} {names.show(about) if about else ''}".rstrip()
    for run in world.runs:
        yield f"{run.number} ({run.request}, server {run.request.server}) {names.answer(run)}"
    yield from sorted(world.ledger.flags)
