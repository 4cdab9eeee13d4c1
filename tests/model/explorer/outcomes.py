"""The table of outcomes, asked of one request that was answered.

Of a request that is alone on its server its own calls tell what it met. Commits of one process may
be folded into one save; what such a request met is one of the states that its session was in while
it was being committed.
"""

from coatcheck import Done, Token
from coatcheck.core.record import Ended, Record, Stored
from coatcheck.core.renewal import is_due
from coatcheck.core.standing import Standing
from coatcheck.errors import SessionLimitReached
from tests.model.explorer.ledger import SETTINGS, Ledger, Written, is_renewal
from tests.model.explorer.request import Who
from tests.model.explorer.run import Run

Cell = tuple[int, str]

TABLE: dict[str, dict[str, Cell]] = {
    "read": dict.fromkeys(("same", "lineage", "moved", "ended"), (200, "-")),
    "edit": {"same": (200, "-"), "lineage": (409, "-"), "moved": (409, "-"), "ended": (200, "-")},
    "rotate": {
        "same": (200, "set"),
        "lineage": (409, "-"),
        "moved": (409, "-"),
        "ended": (401, "-"),
    },
    "sign_in": dict.fromkeys(("same", "lineage", "moved", "ended"), (200, "set")),
    "end": {
        "same": (200, "delete"),
        "lineage": (200, "delete"),
        "moved": (200, "-"),
        "ended": (200, "-"),
    },
}
NO_SESSION: dict[str, Cell] = {
    "read": (200, "-"),
    "edit": (200, "set"),
    "sign_in": (200, "set"),
    "end": (200, "-"),
}


def column(base: Record, stored: Stored) -> str:
    """Return the column of the table that a state of the session is in."""
    if isinstance(stored, Record):
        return "same" if stored.lineage_digest == base.lineage_digest else "lineage"
    return "moved" if stored is not None and stored.why == Ended.MOVED else "ended"


def met(run: Run, ledger: Ledger) -> set[str]:
    """Return the columns that a request may have met."""
    base = run.base
    if base is None:
        return set()
    if run.is_alone and not run.is_faulty and run.decisive is not None:
        return {column(base, run.decisive)}
    states = ledger.states.get(base.id, [base])[max(0, run.since - 1) :]
    return {column(base, stored) for stored in states}


def allowed(run: Run, ledger: Ledger) -> set[Cell] | None:
    """Return what the request may be answered, or `None` where no row speaks of it."""
    row = run.request.row
    if row is None:
        return None
    if run.base is None:
        if "step_up" in run.request.steps and row == "rotate":
            cells = {(401, "-")}
        elif row == "rotate":
            is_edited = not {"edit", "nested", "count"}.isdisjoint(run.request.steps)
            cells = {(200, "set" if is_edited else "-")}
        else:
            cells = {NO_SESSION[row]}
    elif run.base.subject is None and "step_up" in run.request.steps and row == "rotate":
        cells = {(401, "-")}
    else:
        cells = {TABLE[row][each] for each in met(run, ledger)}
        if row in ("read", "edit") and "same" in met(run, ledger) and _may_renew(run.base, run):
            cells.add((200, "set"))
        if run.is_faulty and row == "end":
            cells.add((200, "delete"))
        if run.request.steps == ("empty",) and not run.found:
            cells.add((200, "-"))  # nothing was taken out
    if row == "sign_in" and _is_barred(run, ledger):
        cells.add((401, "-"))
    if row == "sign_in" and isinstance(run.error, SessionLimitReached):
        cells.add((403, "-"))  # with a reason: see endings
    if run.is_faulty:
        cells.add((503, "-"))
    return cells


def _may_renew(base: Record, run: Run) -> bool:
    """Tell whether the request may be handed its token's successor, or the one proposed before."""
    return base.renew_nonce is not None or is_due(base, SETTINGS.policy, run.opened_at)


def _is_barred(run: Run, ledger: Ledger) -> bool:
    """Tell whether an end of all refuses a sign-in, or its session ended before it was answered.

    That session is a new one, or the one that it signed in again in.
    """
    mine = {id for id, by in ledger.creators.items() if by == run.number}
    if run.base is not None and run.decisive is not None:
        mine |= {run.base.id} if column(run.base, run.decisive) == "same" else set()
    ends = (Ended.END_ALL, Ended.EVICTED)
    if any(id in mine and closed.why in ends for id, closed in ledger.closed.items()):
        return True
    wanted = {step.removeprefix("sign_in ") for step in run.request.steps}
    return any(
        by != run.number and subject in wanted and bar >= run.opened_at
        for by, subject, bar in ledger.bars
    )


def judge(run: Run, ledger: Ledger) -> None:
    """Check what one request was answered, at the moment it is."""
    flags = ledger.flags
    if run.status == 500:
        flags.add(f"[h] a request failed: {run.error!r}")
        return
    if run.status == 503 and not run.is_faulty:
        flags.add("[h] 503 without a fault")
    cells = allowed(run, ledger)
    if cells is not None and (run.status, run.cookie) not in cells:
        flags.add(
            f"[table] {run.request.row} was answered {run.status} {run.cookie}, not "
            + " or ".join(sorted(f"{status} {cookie}" for status, cookie in cells))
        )
    if run.status != 200 and any(run.cookies.values()):
        flags.add(f"[b] an answer of {run.status} hands out a token")
    _check_deletions(run, ledger)
    _check_replay(run, ledger)
    _check_tokens(run, ledger)
    _check_items(run, ledger)


def _check_deletions(run: Run, ledger: Ledger) -> None:
    """Only the request whose end ended a live session deletes its cookie (C2)."""
    if None in run.cookies.values() and run.base is not None and not run.is_faulty:
        closed = ledger.closed.get(run.base.id)
        if closed is None or closed.by not in (run.number, *_joined_with(run, ledger)):
            ledger.flags.add("[d] a cookie is deleted by a request that ended nothing")


def _joined_with(run: Run, ledger: Ledger) -> list[int]:
    """Return who may have written what this request wanted: a session that is emptied is saved."""
    if run.request.row == "end":
        return []
    return [r.number for r in ledger.runs if r.request.server == run.request.server]


def _check_tokens(run: Run, ledger: Ledger) -> None:
    """A token is one request's alone, and its lineage follows the one the request opened with."""
    for token in filter(None, run.cookies.values()):
        digest = token.digests().secret
        made = [write for write in ledger.saves if write.after.digest == digest]
        is_first = ledger.issued.setdefault(digest, run.number) == run.number
        if made and is_renewal(made[0].before, made[0].after):
            _check_renewal(token, ledger)
        elif not is_first:
            ledger.flags.add("[b] two requests were handed the same token")
        if not made:
            ledger.flags.add("[h] a token was handed out that was never stored")
        elif isinstance(before := made[0].before, Record) and (
            run.base is None or before.lineage_digest != run.base.lineage_digest
        ):
            ledger.flags.add("[b] a token continues a lineage its request was not opened under")
        if made and run.request.row == "rotate" and isinstance(made[0].before, Record):
            _check_order(run, made[0], ledger)


def _check_renewal(token: Token, ledger: Ledger) -> None:
    """A successor is handed out while it is good, not when it has lost (R6)."""
    now = ledger.states[token.id][-1]
    digest = token.digests().secret
    if not isinstance(now, Record) or now.digest != digest:
        ledger.flags.add("[d] a successor was handed out that had lost already")
    ledger.successors.add(digest)


def _check_replay(run: Run, ledger: Ledger) -> None:
    """Only who stole a token raises the alarm (R8)."""
    if run.standing is Standing.REPLAYED and run.request.who is not Who.ATTACKER:
        ledger.flags.add("[f] an honest browser raised the alarm")


def _check_order(run: Run, write: Written, ledger: Ledger) -> None:
    """What is saved together with a privilege change came before it (J1)."""
    assert isinstance(write.before, Record)
    new = ledger.items_of(write.after) - ledger.items_of(write.before)
    for other in ledger.runs:
        is_joined = other is not run and other.request.server == run.request.server
        if is_joined and other.turn > run.turn and new & other.handler.names():
            ledger.flags.add("[b] an edit was laid over the privilege change it was joined with")


def _check_items(run: Run, ledger: Ledger) -> None:
    written = {item for item in run.handler.names() if any(_has(ledger, item))}
    if run.status == 409 and written:
        ledger.flags.add("[e] refused with 409, but saved")
    if run.status != 200 or run.final is None:
        return
    if ledger.outlived(run.final.id) & (ledger.items_now(run.final.id) - run.handler.names()):
        ledger.flags.add("[a] data of an ended session lives on in a new one")
    if run.done is Done.DROPPED:
        return
    lost = run.handler.items - run.kept
    if lost and not (run.request.signs_in and met(run, ledger) - {"same"}):
        ledger.flags.add("[e] answered 200, but the session does not show the edit")


def _has(ledger: Ledger, item: str) -> list[bool]:
    return [item in ledger.items_of(write.after) for write in ledger.saves]
