"""A browser, an attacker and some servers with one store, in which one thing happens at a time."""

import asyncio
from collections.abc import Hashable, Mapping
from typing import NamedTuple

from coatcheck import Holder, Policy, Sessions, Standing, Token
from coatcheck.core.presented import Presented
from coatcheck.core.record import Record
from coatcheck.testing import Clock
from coatcheck.waiting import Kind, finish
from tests.model.explorer import endings, outcomes
from tests.model.explorer.chance import Chance
from tests.model.explorer.ledger import Ledger
from tests.model.explorer.loop import SteppedLoop
from tests.model.explorer.request import Handler, Request, Who
from tests.model.explorer.run import Phase, Run
from tests.model.explorer.servers import Servers, data_of
from tests.model.explorer.store import Call, Fate, Observable, ScheduledStore

Program = tuple[Request, ...]
STARTED_AT = 1_760_000_000_000
MINUTES = 60_000


class Scene(NamedTuple):
    """What a program starts from, and what may happen in it.

    Attributes:
        start: whose session the browser has: `nobody`, `visitor`, or a user. `u1, stolen`: the
            attacker has a token that was renewed, and the renewal confirmed, more than a grace ago.
        tick: milliseconds that each event takes.
        kind: how the store says it waits, as some do nearly always and some hardly ever.
        age: how long ago the session was last used, milliseconds.
        faults: what may go wrong, once in a run.
        policy: of all servers.
    """

    start: str = "u1"
    tick: int = 1
    age: int = 0
    kind: Kind = Kind.ASYNCIO
    faults: frozenset[str] = frozenset()
    policy: Policy = Policy()


class Happening(NamedTuple):
    """Something that happened, as the trace tells it: to whom, what, and about what."""

    request: int
    what: str
    about: object = None
    learned: object = None


class Event(NamedTuple):
    """Something that can happen next: to a request, and maybe to one of its calls of the store."""

    what: str
    request: int
    call: int = 0


FATES = {"let": Fate.ANSWERED, "lose call": Fate.LOST, "lose answer of call": Fate.UNANSWERED}
FAULTS = frozenset({"lose call", "lose answer of call", "cancel", "cancel late", "crash", "lose"})


class World:
    """All there is, at one moment of one run of a program."""

    def __init__(
        self, program: Program, scene: Scene, loop: SteppedLoop, inner: Observable, chance: Chance
    ) -> None:
        chance.reset()
        self.scene, self.loop = scene, loop
        self.clock = Clock(STARTED_AT - scene.age)
        self.ledger = Ledger(data_of)
        self.store = ScheduledStore(inner, scene.kind, self.ledger.wrote)
        self.servers = Servers(self.store, self.ledger, self.clock, scene.policy)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self.jar: dict[Holder, Token] = {}
        self._stolen: list[Presented] = []
        self.faults_left = 1 if scene.faults else 0
        self.trace: list[Happening] = []
        self.runs = [
            Run(number, request, Handler(number, request, self.ledger.owners, set(), []))
            for number, request in enumerate(program)
        ]
        for run in self.runs:
            run.is_alone = [r.request.server for r in self.runs].count(run.request.server) == 1
        self.ledger.runs = self.runs
        self._prepare()
        self.store.is_free = False
        for run in self.runs:
            if not run.is_browsers or not self._jar_can_change():
                self.do(Event("send", run.number))

    def _jar_can_change(self) -> bool:
        return len([run for run in self.runs if run.is_browsers]) > 1

    def _prepare(self) -> None:
        """Let the browser have its first session, and the attacker a copy of its token."""

        async def first() -> None:
            for number in {run.request.server for run in self.runs}:
                await self.servers.of(number).commit(await self.servers.of(number).open(None))
            session = await self.servers.of(0).open(None)
            if self.scene.start != "visitor":
                session.sign_in(self.scene.start.partition(",")[0])
            session.update(first=1, cart={"second": 1}, log=[])
            self.ledger.owners.update(first=session.subject, second=session.subject)
            outcome = await self.servers.of(0).commit(session)
            self._receive(outcome.cookies)
            token = outcome.token
            assert token is not None
            self.ledger.begin(await self.store.load(token.id))
            self._stolen = [Presented(token, Holder.of(session.subject))]
            if self.scene.start.endswith("stolen"):
                await self._renew(token)

        if self.scene.start != "nobody":
            self.loop.run_until_complete(first())
        self.clock.ms = STARTED_AT

    async def _renew(self, token: Token) -> None:
        """Let the browser's token be renewed, and the new one be used."""
        for after in (15 * MINUTES, 0, 2 * MINUTES):
            self.clock.ms += after
            session = await self.servers.of(0).open(token)
            outcome = await self.servers.of(0).commit(session)
            self._receive(outcome.cookies)
            token = outcome.token or token
            self.ledger.issued[token.digests().secret] = -1
        stored = await self.store.load(token.id)
        assert isinstance(stored, Record)
        self.ledger.states[token.id] = [stored]

    def events(self) -> list[Event]:
        """Return what can happen next; nothing: the program is over."""
        events: list[Event] = []
        for run in self.runs:
            if run.phase is Phase.UNSENT:
                events.append(Event("send", run.number))
            elif run.phase is Phase.ANSWERED:
                events.append(Event("answer", run.number))
        calls = sorted(self.store.waiting, key=lambda call: (call.request, call.number))
        events += [Event("let", call.request, call.number) for call in calls]
        if not events and self.loop.next_timer() is not None:
            events.append(Event("time", -1))
        if self.faults_left:
            events += [event for event in self._faults(calls) if event.what in self.scene.faults]
        return events

    def _faults(self, calls: list[Call]) -> list[Event]:
        faults = [Event("lose", run.number) for run in self.runs if run.phase is Phase.ANSWERED]
        faults += [Event("cancel", run.number) for run in self.runs if run.is_cancellable]
        for call in calls:
            faults.append(Event("lose call", call.request, call.number))
            if call.is_write:
                faults.append(Event("lose answer of call", call.request, call.number))
                faults.append(Event("crash", call.request))
                if self.runs[call.request].is_cancellable:
                    faults.append(Event("cancel late", call.request, call.number))
        return list(dict.fromkeys(faults))

    def do(self, event: Event) -> None:
        """Let it happen, and everything go on until it waits again."""
        what, number, _ = event
        self.faults_left -= what in FAULTS
        if what == "time":
            self.trace.append(Happening(-1, "time passes"))
            self.loop.elapse()
        elif what == "send":
            self._send(self.runs[number])
        elif what in ("answer", "lose"):
            self._deliver(self.runs[number], is_lost=what == "lose")
        elif what == "crash":
            self._crash(self.runs[number].request.server)
        elif what == "cancel":
            self._cancel(self.runs[number])
        else:
            self._let(event)
        self.loop.settle()
        self.clock.ms += self.scene.tick
        for run in self.runs:
            if run.phase is Phase.ANSWERED and not (run.is_browsers and run.cookies):
                run.phase = Phase.OVER  # its answer changes nothing in the browser

    def _let(self, event: Event) -> None:
        what, number, _ = event
        run = self.runs[number]
        call = next(c for c in self.store.waiting if (c.request, c.number) == event[1:])
        learned = self.store.let(call, FATES.get(what, Fate.ANSWERED))
        run.learned.append((call.name, learned))
        if what in FAULTS:
            run.is_faulty = True
            for other in self.runs:  # whoever waits for the same save
                if other.phase is Phase.COMMITTING and other.request.server == run.request.server:
                    other.is_faulty = True
        self.trace.append(Happening(number, what, call, learned))
        if what == "cancel late":
            self._cancel(run)

    def _cancel(self, run: Run) -> None:
        run.is_faulty = True
        run.learned.append("cancelled")
        self.trace.append(Happening(run.number, "cancelled"))
        self._tasks[run.number].cancel()

    def _crash(self, server: int) -> None:
        self.trace.append(Happening(-1, f"server {server} crashes"))
        for run in self.runs:
            if run.is_under_way and run.request.server == server:
                run.phase = Phase.CRASHED
        gone = [c for c in self.store.waiting if self.runs[c.request].request.server == server]
        for call in gone:
            self.store.waiting.remove(call)
        self.servers.crash(server)

    def _send(self, run: Run) -> None:
        presented = {
            Who.BROWSER: [Presented(self.jar[holder], holder) for holder in self.jar],
            Who.ATTACKER: self._stolen,
            Who.STAFF: [],
        }[run.request.who]
        run.sent = tuple(each.token for each in presented if each.token)
        self.trace.append(Happening(run.number, "sent with", run.sent))
        run.phase = Phase.OPENING
        presented.sort(key=lambda each: list(Holder).index(each.holder))
        self._tasks[run.number] = self.loop.create_task(self.servers.serve(run, presented))

    def _deliver(self, run: Run, *, is_lost: bool) -> None:
        run.phase = Phase.OVER
        run.learned.append(is_lost)
        self.trace.append(Happening(run.number, "answer lost" if is_lost else "answer delivered"))
        if not is_lost:
            self._receive(run.cookies)

    def _receive(self, cookies: Mapping[Holder, Token | None]) -> None:
        for holder, token in cookies.items():
            if token is None:
                self.jar.pop(holder, None)
            else:
                self.jar[holder] = token

    def key(self) -> Hashable:
        """Return what two moments have in common that go on in the same way."""
        return (
            self.store.inner.everything(),
            tuple(run.key() for run in self.runs),
            tuple((c.request, c.number, c.name, c.args) for c in self.store.waiting),
            tuple(self.servers.committing),
            self.loop.next_timer(),
            frozenset(self.jar.items()),
            frozenset(self.servers.crashed),
            self.faults_left,
            self.clock.ms,
            self.ledger.key(),
            tuple(self._seen(run) for run in self.runs),
        )

    def _seen(self, run: Run) -> Hashable:
        if run.base is None or run.phase is not Phase.COMMITTING:
            return None
        return frozenset(outcomes.met(run, self.ledger))

    def finish(self) -> None:
        """Check what must hold now that the program is over."""
        self.store.is_free = True
        stored = self.store.inner.stored()
        listed = {subject: self._listed(subject) for subject in ("u1", "u2")}
        endings.check(
            self.ledger,
            stored,
            listed,
            self.jar,
            self._jar_opens(),
            start=self.scene.start,
            crashed=self.servers.crashed,
            has_losses=bool(self.scene.faults) and not self.faults_left,
            limit=self.scene.policy.max_sessions,
        )

    def _listed(self, subject: str) -> set[str]:
        page = finish(self.store.inner.page(subject, None, 100))
        return {record.id for record in page.records}

    def _jar_opens(self) -> tuple[Standing, str | None]:
        presented = [Presented(self.jar[holder], holder) for holder in Holder if holder in self.jar]
        session = self.loop.run_until_complete(self._fresh().admit(presented))
        return session.standing, session.subject

    def _fresh(self) -> Sessions:
        return Sessions(self.store.inner, clock=self.clock, on_event=lambda _: None)

    def dispose(self) -> None:
        """Stop whatever still waits."""
        self.store.is_gone = True
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.settle()
        self.loop.drop_timers()
