"""What must hold when a program is over: all answers given, every cookie delivered."""

from collections.abc import Mapping

from coatcheck import Done, Holder, Standing, Token
from coatcheck.core.record import Ended, Record, Stored
from tests.model.explorer.ledger import Ledger
from tests.model.explorer.request import Who
from tests.model.explorer.run import Phase


def check(
    ledger: Ledger,
    stored: Mapping[str, Stored],
    listed: dict[str, set[str]],
    jar: dict[Holder, Token],
    jar_opens: tuple[Standing, str | None],
    *,
    start: str,
    crashed: set[int],
    has_losses: bool,
    limit: int | None,
) -> None:
    """Add to the flags what does not hold.

    Args:
        listed: by subject, the ids its index lists.
        jar_opens: what the browser's cookies open.
        crashed: the servers that crashed.
        has_losses: an answer was lost, a request cancelled, a server crashed, a call unanswered.
        limit: how many sessions a user may have.
    """
    for run in ledger.runs:
        if run.phase not in (Phase.OVER, Phase.CRASHED):
            ledger.flags.add(f"[h] a request was never answered: {run.request}")
    live = {id: record for id, record in stored.items() if isinstance(record, Record)}
    _edits(ledger, live)
    _activity(ledger, live, crashed)
    _one_subject(ledger, live)
    _end_all(ledger, live)
    _index(ledger, live, listed)
    _theft(ledger, live)
    if limit is not None:
        _limit(ledger, live, limit, has_losses=has_losses)
    if not has_losses:
        _held(ledger, live)
        if all(run.request.who is not Who.ATTACKER for run in ledger.runs):
            _browser(ledger, jar, jar_opens, start)


def _edits(ledger: Ledger, live: dict[str, Record]) -> None:
    """[e] What was acknowledged is in the session, as long as that is there."""
    for run in ledger.runs:
        if run.status != 200 or run.final is None or run.done is Done.DROPPED:
            continue
        record = live.get(run.final.id)
        if record is not None and not run.kept & run.handler.items <= ledger.items_of(record):
            ledger.flags.add("[e] an acknowledged edit is lost")
    for record in live.values():
        if len(set(log := ledger.log_of(record))) != len(log):
            ledger.flags.add("[e] counted twice")


def _activity(ledger: Ledger, live: dict[str, Record], crashed: set[int]) -> None:
    """[d] Activity is recorded, if later, unless the server that was to do it crashed."""
    for run in ledger.runs:
        record = live.get(run.base.id) if run.base is not None else None
        if run.done is not Done.TOUCHED or record is None or run.request.server in crashed:
            continue
        if record.seen_at < run.opened_at:
            ledger.flags.add("[d] activity was never recorded")


def _one_subject(ledger: Ledger, live: dict[str, Record]) -> None:
    """[c] What a visitor had moves to one subject."""
    holders: dict[str, set[str]] = {}
    for record in live.values():
        if record.subject is not None and _is_held(ledger, record):
            for item in ledger.items_of(record):
                if ledger.owners.get(item) is None:
                    holders.setdefault(item, set()).add(record.subject)
    if any(len(subjects) > 1 for subjects in holders.values()):
        ledger.flags.add("[c] a visitor's data went to two users")


def _end_all(ledger: Ledger, live: dict[str, Record]) -> None:
    """[g] No session that was opened before an acknowledged end of all is left."""
    for run in ledger.runs:
        if run.request.who is Who.STAFF and run.status != 200:
            continue
        for subject, kept in run.handler.bars:
            bar = max(bar for by, of, bar in ledger.bars if (by, of) == (run.number, subject))
            for record in live.values():
                by = ledger.creators.get(record.id, -1)
                is_own = by == run.number or (kept is not None and kept.id == record.id)
                opened_at = ledger.runs[by].opened_at if by >= 0 else 0
                if record.subject != subject or is_own or opened_at > bar:
                    continue
                if _is_held(ledger, record):
                    ledger.flags.add("[g] an end of all missed a session")


def _index(ledger: Ledger, live: dict[str, Record], listed: dict[str, set[str]]) -> None:
    """[g] Every session that anybody holds is in the index of its subject."""
    for id, record in live.items():
        subject = record.subject
        if subject is not None and _is_held(ledger, record) and id not in listed[subject]:
            ledger.flags.add("[g] a live session is not listed")


def _theft(ledger: Ledger, live: dict[str, Record]) -> None:
    """[f] A stale token ends its session, and nothing else raises that alarm."""
    noticed = [run for run in ledger.runs if run.standing is Standing.REPLAYED]
    for run in noticed:
        if any(token.id in live and run.status != 503 for token in run.sent):
            ledger.flags.add("[f] a session goes on though its token was replayed")
    if not noticed and any(closed.why == Ended.REPLAYED for closed in ledger.closed.values()):
        ledger.flags.add("[f] a session was ended for a replay that nobody made")


def _limit(ledger: Ledger, live: dict[str, Record], limit: int, *, has_losses: bool) -> None:
    """[g] Nobody has more sessions than allowed, and nobody fewer because of it."""
    held = [record.subject for record in live.values() if _is_held(ledger, record)]
    refused = {
        step.removeprefix("sign_in ")
        for run in ledger.runs
        for step in run.request.steps
        if run.status == 403
    }
    evicted = any(closed.why == Ended.EVICTED for closed in ledger.closed.values())
    steps = {step for run in ledger.runs for step in run.request.steps}
    has_moved = "sign_in u2" in steps
    may_be_fewer = has_losses or has_moved or any(run.request.ends for run in ledger.runs)
    for subject in ("u1", "u2"):
        if (count := held.count(subject)) > limit:
            ledger.flags.add("[g] a user has more sessions than allowed")
        if (evicted or subject in refused) and 0 < count < limit and not may_be_fewer:
            ledger.flags.add("[g] a session was ended or refused though there was room")
        if subject in refused and count == 0 and not may_be_fewer:
            ledger.flags.add("[g] a sign-in was refused for nobody's sake")


def _held(ledger: Ledger, live: dict[str, Record]) -> None:
    """[h] Nothing is left that nobody can open."""
    for record in live.values():
        if not _is_held(ledger, record):
            ledger.flags.add("[h] a session is left whose token nobody has")


def _is_held(ledger: Ledger, record: Record) -> bool:
    is_former_held = record.renew_nonce is not None and record.former_digest in ledger.issued
    return record.digest in ledger.issued or is_former_held


def _browser(
    ledger: Ledger,
    jar: dict[Holder, Token],
    jar_opens: tuple[Standing, str | None],
    start: str,
) -> None:
    """[d] The browser's cookies open a session, unless that was ended."""
    requests = [run.request for run in ledger.runs]
    standing, subject = jar_opens
    token = jar.get(Holder.SIGNED_IN) or jar.get(Holder.VISITOR)
    closed = ledger.closed.get(token.id) if token else None
    was_ended = closed is not None and closed.why != Ended.MOVED
    has_ended = any(request.ends for request in requests)
    has_left = has_ended and Holder.SIGNED_IN not in jar  # the visitor's cookie from before stays
    is_dead = standing is not Standing.CURRENT and not was_ended and not has_left
    if standing is Standing.RETIRED and token and token.digests().secret in ledger.successors:
        return  # a renewal's answer came after a privilege change's: what no rule can give
    if token is not None and is_dead:
        ledger.flags.add(f"[d] the browser is left with a cookie that is {standing.value}")
    was_evicted = closed is not None and closed.why == Ended.EVICTED
    if has_ended or was_evicted:  # by a login whose answer came earlier
        return
    has_signed_in = start.startswith("u") or any(
        run.is_browsers and run.request.signs_in and run.status == 200 for run in ledger.runs
    )
    if has_signed_in and subject is None:
        ledger.flags.add("[d] the browser is signed out")
