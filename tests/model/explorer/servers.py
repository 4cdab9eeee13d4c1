"""The servers of a world: each answers requests with its own `Sessions` over the one store."""

import asyncio

from coatcheck import Policy, Session, Sessions, Store
from coatcheck.core.merge import Data
from coatcheck.core.presented import Presented
from coatcheck.core.record import Record
from coatcheck.errors import SessionLimitReached, StoreUnavailable, Superseded, Unauthenticated
from coatcheck.testing import Clock
from tests.model.explorer import outcomes
from tests.model.explorer.ledger import SETTINGS, Ledger
from tests.model.explorer.request import Who, items_of
from tests.model.explorer.run import Phase, Run
from tests.model.explorer.store import REQUEST


class Servers:
    """Runs requests, and takes down what becomes of them.

    Attributes:
        committing: the requests that are being committed, in the order in which that began.
        crashed: the numbers of the servers that crashed; they are up again, with nothing in memory.
    """

    def __init__(self, store: Store, ledger: Ledger, clock: Clock, policy: Policy) -> None:
        self._store, self._ledger, self.clock = store, ledger, clock
        self._policy = policy
        self._up: dict[int, Sessions] = {}
        self.committing: list[int] = []
        self.crashed: set[int] = set()
        self._turns = 0

    def of(self, number: int) -> Sessions:
        """Return the sessions of a server; start it if it is not up."""
        if number not in self._up:
            self._up[number] = Sessions(
                self._store, policy=self._policy, clock=self.clock, on_event=lambda _: None
            )
        return self._up[number]

    def crash(self, number: int) -> None:
        """Let a server forget everything. Whose requests are under way is up to the caller."""
        self.committing = [n for n in self.committing if self._ledger.runs[n].is_under_way]
        self._up.pop(number, None)
        self.crashed.add(number)

    async def serve(self, run: Run, presented: list[Presented]) -> None:
        REQUEST.set(run.number)
        try:
            if run.request.who is Who.STAFF:
                await self._work(run)
            else:
                await self._answer(run, presented)
            run.status = run.status or 200
        except Superseded as error:
            run.status, run.error = 409, error
        except Unauthenticated as error:
            run.status, run.error = 401, error
        except SessionLimitReached as error:
            run.status, run.error = 403, error
        except StoreUnavailable as error:
            run.status, run.error = 503, error
        except asyncio.CancelledError:
            run.phase = Phase.CRASHED
            raise
        except Exception as error:
            run.status, run.error = 500, error
        finally:
            if run.number in self.committing:
                self.committing.remove(run.number)
        run.phase = Phase.ANSWERED
        self._note(run)

    async def _work(self, run: Run) -> None:
        sessions = self.of(run.request.server)
        for step in run.request.steps:
            action, _, argument = step.partition(" ")
            run.opened_at = self.clock.ms
            if action == "end_all":
                await sessions.end_all(argument)
                run.handler.bars.append((argument, None))
            elif action == "end_everything":
                await sessions.end_everything()
                run.handler.bars += [("u1", None), ("u2", None)]
            elif action == "revoke":
                await sessions.end(next(iter(self._ledger.states)))  # the browser's first
            elif action == "list":
                await sessions.list(argument)
            else:
                raise AssertionError(step)

    async def _answer(self, run: Run, presented: list[Presented]) -> None:
        sessions = self.of(run.request.server)
        run.session = session = await sessions.admit(presented)
        state = session.state
        if state.failure is not None:
            raise state.failure
        run.base, run.standing, run.opened_at = state.base, state.standing, state.opened_at
        run.found = frozenset(items(session))
        run.phase = Phase.HANDLING
        self._check_opened(run)
        try:
            await run.handler.run(sessions, session)
        except Unauthenticated:
            await sessions.commit(session, discard=True)
            raise
        run.phase = Phase.COMMITTING
        self.committing.append(run.number)
        self._turns += 1
        run.turn = self._turns
        if run.base is not None:
            run.since = len(self._ledger.states.get(run.base.id, ()))
        outcome = await sessions.commit(session)
        run.done, run.final = outcome.done, state.base
        run.kept = frozenset(items(session))

    def _check_opened(self, run: Run) -> None:
        """A token opens its session as long as its lineage is the stored one, and not longer."""
        if run.base is not None:
            states = self._ledger.states.get(run.base.id, [run.base])
            now = states[-1]
            if not isinstance(now, Record):
                self._ledger.flags.add("[a] a token opened a session that had ended")
            elif all(token.digests().lineage != now.lineage_digest for token in run.sent):
                self._ledger.flags.add("[b] a token opened a session after a privilege change")
            else:
                good = {now.digest, now.former_digest}
                if all(token.digests().secret not in good for token in run.sent):
                    self._ledger.flags.add("[f] a stale token opened a session")

    def _note(self, run: Run) -> None:
        """Take down what the request was answered, as an adapter would write it."""
        if run.session is not None:
            cookies = run.session.state.cookies
            if run.status == 503:
                cookies.drop_deletions()
            run.cookies = dict(cookies)
        if run.request.who is not Who.STAFF:
            outcomes.judge(run, self._ledger)
        elif run.status == 500 or (run.status == 503 and not run.is_faulty):
            self._ledger.flags.add(f"[h] {run.request} failed: {run.error!r}")


_decoded: dict[bytes, Data] = {}


def data_of(record: Record) -> Data:
    """Return the data of a record; whoever asks does not change it."""
    data = _decoded.get(record.payload)
    if data is None:
        data = _decoded[record.payload] = SETTINGS.codec.decode(SETTINGS.content(record))
    return data


def items(session: Session) -> set[str]:
    """Return the items that a session shows."""
    return set(items_of(dict(session)))
