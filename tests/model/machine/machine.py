"""Browsers, two servers and a thief, one thing after the other, beside the plain model."""

import asyncio
from collections.abc import Coroutine
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from coatcheck import (
    BlockingSessions,
    Done,
    Holder,
    Outcome,
    Session,
    Sessions,
    Standing,
    Store,
    Token,
    store_from_url,
)
from coatcheck.core.presented import Presented
from coatcheck.core.record import Record
from coatcheck.errors import Superseded, Unauthenticated
from coatcheck.testing import Clock
from coatcheck.waiting import Kind, finish
from tests.model.explorer.servers import data_of
from tests.model.machine.plain import (
    ABSOLUTE,
    IDLE,
    TOMBSTONE,
    Base,
    Expected,
    Kept,
    Plain,
    Secret,
    Wish,
)

T = TypeVar("T")
WHICH = st.integers(0, 5)
BROWSER = st.sampled_from([0, 0, 0, 1, 1, 2])
SERVERS = st.sampled_from([(0,), (1,), (0, 1), (1, 1)])
SUBJECT = st.sampled_from(["u1", "u1", "u2"])
EDITS = ["set a", "set b", "inside a", "inside b", "delete a", "delete b", "count"]
INTENTS = ["u1", "u1", "u2", "step_up", "rotate", "end", "clear"]
STEP = st.sampled_from(EDITS + INTENTS)
MEDDLING = st.sampled_from(["nothing"] * 4 + ["end all", "end all others", "end one"])
MINUTES = st.sampled_from([0, 0, 0, 0, 2, 3, 10, 16, 16, 28, 29.5, 31])


class Run(Protocol):
    """Runs a coroutine to its end."""

    def __call__(self, coroutine: Coroutine[Any, Any, T], /) -> T: ...


@dataclass(eq=False)
class Browser:
    """Somebody's cookies."""

    jar: dict[Holder, Token] = field(default_factory=dict[Holder, Token])


@dataclass(eq=False)
class Request:
    """A request between its arrival and its answer: the library's view, and the model's."""

    browser: Browser
    sessions: Sessions
    session: Session
    wish: Wish


@dataclass(eq=False)
class Answer:
    """An answer on its way."""

    browser: Browser
    cookies: dict[Holder, Token | None]


class Machine(RuleBasedStateMachine):
    """Interleaves requests phase by phase.

    Each example has users of its own, so that all can share one store.
    """

    examples = 0

    def __init__(self, store: Store, form: Kind, run: Run) -> None:
        super().__init__()
        Machine.examples += 1
        self.store, self._run = store, run
        self.clock = Clock()
        self.servers = [self._server(form) for _ in range(2)]
        self.plain = Plain()
        self.browsers = [Browser() for _ in range(3)]
        self.requests: list[Request] = []
        self.answers: list[Answer] = []
        self.stolen: list[Token] = []
        self.lineages: dict[Token, tuple[str, int, int]] = {}
        self.count = 0

    def _server(self, form: Kind) -> Sessions:
        if form is Kind.BLOCKING:
            return BlockingSessions(self.store, clock=self.clock, on_event=_ignore).inner
        return Sessions(self.store, clock=self.clock, on_event=_ignore)

    @initialize()
    def somebody_is_there(self) -> None:
        """A user in one browser, a visitor in another, nobody in the third."""
        for number, subject in ((0, self._named("u1")), (1, None)):
            request = self.send(number, number)
            for data in (request.session, request.wish.data):
                data["a"] = number
            if subject is not None:
                request.session.sign_in(subject)
                request.wish.sign_in(subject)
            self._commit(request)
            self._deliver(self.answers.pop())

    # A request arrives

    def send(self, which: int, server: int) -> Request:
        browser = self.browsers[which]
        tokens = [(holder, browser.jar[holder]) for holder in Holder if holder in browser.jar]
        return self._open(browser, [Presented(token, holder) for holder, token in tokens], server)

    @precondition(lambda self: len(self.requests) < 4)
    @rule(which=BROWSER, servers=SERVERS, steps=st.lists(STEP, min_size=2, max_size=4))
    def arrive(self, which: int, servers: tuple[int, ...], steps: list[str]) -> None:
        """One request, or two at once; they share the steps."""
        requests = [self.send(which, server) for server in servers]
        for number, step in enumerate(steps):
            self._do(requests[number % len(requests)], step)

    def _open(self, browser: Browser, presented: list[Presented], server: int) -> Request:
        sessions = self.servers[server]
        session = self._run(sessions.admit(presented))
        assert session.state.failure is None
        opened: Kept | None = None
        number = 0
        for token, holder, _ in presented:
            assert token is not None
            if self._opens(token):
                opened, number = self.plain.sessions[token.id], self.lineages[token][2]
                break
            self._replay(token)
            if token is presented[0].token:  # the others' turn comes when it is gone
                self._check_deletion(token, holder, session)
        if opened is None:
            assert (session.subject, session.id, dict(session)) == (None, None, {})
            base = None
        else:
            found = session.subject, session.id, dict(session)
            assert found == (opened.subject, opened.id, opened.data)
            opened.seen_at = max(opened.seen_at, self.clock.ms)
            base = Base(
                opened.id,
                opened.subject,
                opened.lineage,
                deepcopy(opened.data),
                opened.secret,
                number,
            )
        data = deepcopy(base.data) if base else {}
        wish = Wish(base, self.clock.ms, data)
        request = Request(browser, sessions, session, wish)
        self.requests.append(request)
        return request

    def _opens(self, token: Token) -> bool:
        """Tell whether a token should open its session."""
        kept, (_, lineage, number) = self.plain.sessions[token.id], self.lineages[token]
        is_known = kept.secret.honours(number, self.clock.ms)
        return kept.over is None and lineage == kept.lineage and is_known

    def _replay(self, token: Token) -> None:
        """Let a stale token end its session."""
        kept = self.plain.sessions[token.id]
        if kept.over is None and self.lineages[token][1] == kept.lineage:
            assert self.plain.end(kept.id, "ended", self.clock.ms)

    def _check_deletion(self, token: Token, holder: Holder, session: Session) -> None:
        """A dead cookie is deleted when it expired, not while a newer one can be under way."""
        kept, now = self.plain.sessions[token.id], self.clock.ms
        is_deleted = session.state.cookies.get(holder, token) is None
        if kept.over in ("expired", "gone"):  # the record may be forgotten, or ended
            is_its_own = kept.over == "expired" and self.lineages[token][1] == kept.lineage
            assert is_deleted or not is_its_own
        elif kept.over is None or now < kept.over_at + TOMBSTONE:
            assert not is_deleted

    # Its handler runs

    @precondition(lambda self: self.requests)
    @rule(which=WHICH, step=STEP)
    def go_on(self, which: int, step: str) -> None:
        self._do(self._pick(which), step)

    def _pick(self, which: int) -> Request:
        return self.requests[which % len(self.requests)]

    def _do(self, request: Request, step: str) -> None:
        session, wish = request.session, request.wish
        action, _, key = step.partition(" ")
        if action in ("set", "inside", "delete"):
            self.count += 1
            for data in (session, wish.data):
                if action == "set":
                    data[key] = self.count
                elif action == "inside":
                    data.setdefault("cart", {})[key] = self.count
                else:
                    data.pop(key, None)
        elif action == "count":
            session.edit(_one_more)
            wish.run(_one_more)
        elif wish.intent == "edit":
            self._intend(session, wish, action)
        assert dict(session) == wish.data

    def _intend(self, session: Session, wish: Wish, intent: str) -> None:
        """Do what a request does at most once."""
        if intent in ("u1", "u2"):
            session.sign_in(self._named(intent))
            wish.sign_in(self._named(intent))
        elif intent == "clear":
            session.clear()
            wish.data.clear()
            wish.is_cleared = True
        elif intent == "end" and wish.ending is None:
            session.end()
            wish.end()
        elif intent in ("step_up", "rotate") and session.subject is not None:
            session.step_up(2) if intent == "step_up" else session.privilege_changed()
            wish.intent = intent

    @rule(which=WHICH, server=st.integers(0, 1), subject=SUBJECT, what=MEDDLING)
    def meddle(self, which: int, server: int, subject: str, what: str) -> None:
        """End sessions from elsewhere."""
        sessions, subject = self.servers[server], self._named(subject)
        if what == "end all":
            ended = self._run(sessions.end_all(subject))
            assert ended == self.plain.end_all(subject, self.clock.ms, None)
        elif what == "end all others" and self.requests:
            request = self._pick(which)
            ended = self._run(request.sessions.end_all(subject, keep=request.session))
            assert ended == self.plain.end_all(subject, self.clock.ms, request.wish)
        elif what == "end one":  # from a list of devices
            kept = list(self.plain.sessions.values())[-1 - which % len(self.plain.sessions)]
            if kept.over != "expired":
                was_live = self._run(sessions.end(kept.id))
                assert was_live == self.plain.end(kept.id, "ended", self.clock.ms)

    def _named(self, subject: str) -> str:
        return f"{subject} of {self.examples}"

    # It is answered

    @precondition(lambda self: self.requests)
    @rule(which=WHICH, answer=st.sampled_from(["arrives", "arrives", "is late", "is lost"]))
    def commit(self, which: int, answer: str) -> None:
        self._commit(self._pick(which))
        if answer == "arrives":
            self._deliver(self.answers.pop())
        elif answer == "is lost":
            self.answers.pop()

    def _commit(self, request: Request) -> None:
        self.requests.remove(request)
        session, state = request.session, request.session.state
        found = dict(state.cookies)
        expected = self.plain.commit(request.wish, self.clock.ms)
        outcome, status = Outcome(Done.KEPT), 200
        try:
            outcome = self._run(request.sessions.commit(session))
        except Superseded:
            status = 409
        except Unauthenticated:
            status = 401
        cookies = dict(outcome.cookies)
        kinds = frozenset("set" if token else "delete" for token in cookies.values())
        assert (status, kinds) == (expected.status, expected.cookies)
        if status == 200:
            self._answered(session, expected, outcome.token)
        assert dict(state.cookies) == {**found, **cookies}
        self.answers.append(Answer(request.browser, dict(state.cookies)))

    def _answered(self, session: Session, expected: Expected, token: Token | None) -> None:
        assert (session.subject, dict(session)) == (expected.subject, expected.data)
        if expected.id == "new":
            assert token is not None
            assert session.id == token.id
            assert token.id not in self.plain.sessions
            now = self.clock.ms
            data = deepcopy(expected.data)
            self.plain.sessions[token.id] = Kept(
                token.id, expected.subject, data, now, now, now + ABSOLUTE, Secret(now)
            )
        else:
            assert session.id == expected.id
        if token is not None:
            kept = self.plain.sessions[token.id]
            place = kept.id, kept.lineage, kept.secret.number
            assert expected.is_again or token not in self.lineages, "handed out twice"
            assert self.lineages.setdefault(token, place) == place, "two successors"

    @precondition(lambda self: self.answers)
    @rule(which=WHICH)
    def deliver(self, which: int) -> None:
        """One of those that are late, in any order."""
        self._deliver(self.answers.pop(which % len(self.answers)))

    def _deliver(self, answer: Answer) -> None:
        for holder, token in answer.cookies.items():
            if token is None:
                answer.browser.jar.pop(holder, None)
            else:
                answer.browser.jar[holder] = token

    # Time, and a thief

    @rule(seconds=st.sampled_from([0, 1, 5]), minutes=MINUTES)
    def wait(self, seconds: int, minutes: float) -> None:
        """A long time only while nothing is under way, so that no request runs for minutes."""
        self.clock.move(seconds=seconds)
        if minutes and not self.requests:
            for server in self.servers:
                self._run(server.flush())
            self.clock.move(minutes=minutes)
        self._expire()

    @rule(
        which=BROWSER,
        answers=st.lists(st.sampled_from(["arrives", "arrives", "is late", "is lost"]), max_size=4),
        minutes=st.sampled_from([0, 0, 2, 16]),
        servers=SERVERS,
    )
    def grow_old_enough(
        self, which: int, answers: list[str], minutes: int, servers: tuple[int, ...]
    ) -> None:
        """All under way is over, a renewal is due, and some requests come in its time."""
        while self.requests:
            self.commit(0, "arrives")
        self.wait(0, 16)
        for answer in answers:
            self.send(which, servers[0])
            self.commit(-1, answer)
        self.wait(0, minutes)
        for server in servers:
            self.send(which, server)

    def _expire(self) -> None:
        """Let sessions expire; in the share of time for which nothing is promised, as they do."""
        now = self.clock.ms
        for kept in self.plain.sessions.values():
            if kept.over is None and not kept.is_surely_alive(now):
                stored = self._run(self.store.load(kept.id))
                is_over = not isinstance(stored, Record) or now >= stored.expires_at
                assert is_over or not kept.is_surely_expired(now)
                if is_over:
                    kept.over, kept.over_at = "expired", now

    @rule(which=WHICH, server=st.integers(0, 1))
    def steal_and_try(self, which: int, server: int) -> None:
        """A thief is let in as long as the token is good, and not longer."""
        jar = self.browsers[which % len(self.browsers)].jar
        self.stolen += [token for token in jar.values() if token not in self.stolen]
        for token in self.stolen:
            session = self._run(self.servers[server].open(token))
            is_let_in = self._opens(token)
            assert (session.standing is Standing.CURRENT) is is_let_in
            if is_let_in:
                kept = self.plain.sessions[token.id]
                kept.seen_at = max(kept.seen_at, self.clock.ms)
            else:
                self._replay(token)
                assert (session.subject, session.id, dict(session)) == (None, None, {})

    # What is stored

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        for id, kept in self.plain.sessions.items():
            stored = self._run(self.store.load(id))
            if kept.over in ("moved", "ended"):
                assert not isinstance(stored, Record)
            elif kept.over is None:
                assert isinstance(stored, Record)
                assert (stored.subject, data_of(stored)) == (kept.subject, kept.data)
                assert kept.recorded_at - IDLE <= stored.seen_at <= kept.seen_at

    def teardown(self) -> None:
        for subject in (self._named("u1"), self._named("u2")):
            listed = {info.id for info in self._run(self.servers[0].list(subject))}
            mine = [kept for kept in self.plain.sessions.values() if kept.subject == subject]
            sure = {kept.id for kept in mine if kept.is_surely_alive(self.clock.ms)}
            possible = {kept.id for kept in mine if kept.over is None}
            assert sure <= listed <= possible
        for server in self.servers:
            self._run(server.flush())


def _one_more(data: dict[str, Any]) -> None:
    data["n"] = data.get("n", 0) + 1


def _ignore(event: object) -> None:
    """Let nobody log what happens."""


def run_machine(url: str, form: Kind, how: settings, number: int | None = None) -> None:
    """Try many interleavings: in an event loop, or in this thread without one.

    Args:
        number: of the examples, where they are not left to chance.
    """
    with asyncio.Runner() as runner:
        is_blocking = form is Kind.BLOCKING
        run = finish if is_blocking else runner.run
        store = store_from_url(url, blocking=is_blocking)

        class Here(Machine):
            def __init__(self) -> None:
                super().__init__(store, form, run)

        try:
            run_state_machine_as_test(Here if number is None else seed(number)(Here), settings=how)
        finally:
            run(store.close())
