"""The session an application works with: a dict that remembers what was done to it.

Nothing in it does I/O, so it is the same object under every framework. What was asked for happens
when the adapter commits, before the response starts.
"""

from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from typing import Any

from coatcheck.core.change import has_room
from coatcheck.core.csrf import issue
from coatcheck.core.doubt import Doubt
from coatcheck.core.hide import hidden
from coatcheck.core.info import SessionInfo, moment
from coatcheck.core.intents import Edit, Login, Rotate, SignIn, StepUp, moves, moving
from coatcheck.core.merge import Data
from coatcheck.core.outcome import Holder
from coatcheck.core.own import ACTOR, PENDING, Actor, Pending, past
from coatcheck.core.policy import BAR_KEPT
from coatcheck.core.record import Client, Ended, Record
from coatcheck.core.requirement import Requirement
from coatcheck.core.standing import Standing
from coatcheck.core.state import State
from coatcheck.errors import CSRFRefused, StepUpRequired, Unauthenticated


class Session(dict[str, Any]):
    """The data of one browser or device, and who it belongs to.

    Change it like any dict, nested values too; what changed is saved before the response starts.
    Emptying a stored session ends it, unless its privileges change in the same request.

    While a task commits it, as on a WebSocket, others may read it and set keys; all else they might
    ask of it raises `RuntimeError`.
    """

    __slots__ = ("state",)
    state: State

    def __init__(self, state: State) -> None:
        self.state = state

    @property
    def id(self) -> str | None:
        """The public handle of the session: may be logged, opens nothing. `None` until stored.

        It describes what is stored, as all but `subject` and `assurance` do: after a sign-in it
        is the new session's once that is committed.
        """
        return self.state.base.id if self.state.base else None

    @property
    def subject(self) -> str | None:
        """The user id given to `sign_in`, or `None` for a visitor."""
        return self.state.subject

    @property
    def standing(self) -> Standing:
        """What the token was that the request presented: tells "expired" from "never signed in"."""
        return self.state.standing

    @property
    def ended_because(self) -> Ended | None:
        """Why the session of the presented token ended, for two minutes: a note for its user.

        `REPLAYED`: somebody else held a copy of the token.
        """
        return self.state.ended_because

    @property
    def is_over(self) -> bool:
        """Whether the client believes to be signed in, by a token that opens nothing."""
        return self.state.presented is Holder.SIGNED_IN and self.standing is not Standing.CURRENT

    @property
    def doubt(self) -> Doubt | None:
        """Whose session is withheld, as `Policy.binding` asks for a new proof on this client.

        Until then the request is nobody's: no subject, none of the data. What it puts in is a
        visitor's. `sign_in` and `step_up` bring the session back, with those keys of the visitor's
        that it has not itself; `end` ends both.
        """
        return self.state.doubt

    @property
    def info(self) -> SessionInfo | None:
        """All that may be shown about the session, as in `Sessions.list`; `None` until stored."""
        base, expires_at = self.state.base, self.expires_at
        if base is None or expires_at is None:
            return None
        return replace(SessionInfo.of(base), expires_at=expires_at, is_current=True)

    def require_subject(self) -> str:
        """Return the user id.

        Raises:
            Unauthenticated: nobody is signed in. Left alone, it becomes a 401.
            StepUpRequired: of those, the user has to be proved again: see `doubt`.
        """
        if (subject := self.subject) is None:
            if self.state.doubt is not None:
                raise StepUpRequired(self.state.doubt.record.assurance, 0)
            raise Unauthenticated("nobody is signed in")
        return subject

    def require(self, *, level: int = 1, max_age: timedelta | str | None = None) -> str:
        """Return the user id, if the user is authenticated well enough, and recently enough.

        Only `sign_in` and `step_up` count as authentication, in this very request too; activity
        does not.

        Args:
            level, max_age: see `Requirement`.

        Raises:
            Unauthenticated: nobody is signed in. Left alone, it becomes a 401.
            StepUpRequired: somebody is, but that is not enough. Left alone, it becomes a 401 that
                says what would be (RFC 9470 3), or leads a page to where that is to be had.
            ConfigurationError: `level` or `max_age` is none.
        """
        requirement, subject = Requirement(level, max_age), self.require_subject()
        if not requirement.is_met(self.assurance, self._authentication_age()):
            raise StepUpRequired(level, requirement.seconds)
        return subject

    def _authentication_age(self) -> int | None:
        """Return how long ago the user proved who they are: at most that, milliseconds."""
        state, privilege = self.state, self.state.privilege
        if isinstance(privilege, StepUp):
            return 0
        authenticated_at = state.base.authenticated_at if state.base else None
        if isinstance(privilege, SignIn):
            if privilege.login is None:
                return 0
            authenticated_at = privilege.login.authenticated_at
        if authenticated_at is None:
            return None
        return state.acted_at - authenticated_at + state.clock_error

    def csrf_token(self) -> str:
        """Return a token that shows with a later request that a page of this session made it.

        For the field `csrf_token` of a form or the header `X-CSRF-Token`, never for a URL (ASVS 5.0
        V14.2.1). Each call spells it differently; all are good until the session's own token
        changes, as it does when somebody signs in or out: ask after that. A visitor is given a
        session for it. The response is not stored by any cache.

        Raises:
            RuntimeError: the response has started, so the session can be handed out no more; or a
                ticket opened it, so that its token is not known here.
        """
        self.state.shows_token = True
        return issue(self.state.coming_lineage(), self.state.settings.random)

    def require_csrf_token(self, token: object) -> None:
        """Check a token that the request brought along in a way of its own.

        Raises:
            CSRFRefused: it is no text, or not of this session. Left alone, it becomes a 403.
        """
        if not self.state.has_issued(token):
            raise CSRFRefused("no token of this session came with the request")

    @property
    def created_at(self) -> datetime | None:
        """When the session was first stored."""
        return _moment(self.state.base and self.state.base.created_at)

    @property
    def authenticated_at(self) -> datetime | None:
        """When the user last proved who they are."""
        return _moment(self.state.base and self.state.base.authenticated_at)

    @property
    def seen_at(self) -> datetime | None:
        """The last activity, this request included once it is committed."""
        return _moment(self.state.base and self.state.base.seen_at)

    @property
    def expires_at(self) -> datetime | None:
        """When the session is over, at the earliest, if this request is its last activity."""
        state, base = self.state, self.state.base
        if base is None:
            return None
        seen_at = state.acted_at if state.is_touch_due else base.seen_at
        return moment(min(max(base.seen_at, seen_at) + base.idle, base.ends_at))

    @property
    def assurance(self) -> int:
        """How well the user was authenticated (NIST SP 800-63B-4 AAL 1 to 3); 0 for a visitor."""
        privilege, base = self.state.privilege, self.state.base
        if isinstance(privilege, SignIn | StepUp):
            return privilege.assurance
        return base.assurance if base else 0

    @property
    def client(self) -> Client:
        """Where the user was proved, or the visitor's session opened; this one while it is new."""
        return self.state.base.client if self.state.base else self.state.client

    def sign_in(self, subject: str, *, assurance: int = 1) -> None:
        """Make this the session of `subject`, whose credentials this request has just checked.

        The token changes and every older one dies (ASVS 5.0 V7.2.4). The data of a visitor moves
        along; over another user's session it starts empty, now.

        Raises:
            ValueError: `subject` is empty or no text, or `assurance` is below 1.
            TypeError: the data so far cannot be stored; it names the key.
        """
        self.state.require_no_commit()
        if not _is_text(subject) or assurance < 1:
            raise ValueError("sign_in needs a text that is not empty and an assurance from 1 on")
        subject, assurance = str.__str__(subject), int(assurance)  # no subclasses: they are stored
        state = self.state
        with hidden():
            state.note(self)  # what cannot be stored is said before anything is done
        if state.doubt is not None:
            if state.doubt.subject == subject:
                self._take_up(state.doubt)
            else:
                state.pass_by(state.doubt)
        if ACTOR in state.own:
            self.end()  # it is the actor's, whoever signs in; what follows is a session of its own
        if state.subject is None:
            for key in [key for key in self if not moves(key)]:
                del self[key]
        elif state.subject != subject:
            self._start_empty()
        state.own = {}
        with hidden():
            state.note(self)
        if not isinstance(state.privilege, SignIn) or state.privilege.subject != subject:
            state.signed_at = len(state.steps)
        state.privilege = SignIn(subject, assurance)
        state.is_gone = False

    def _start_empty(self) -> None:
        """Leave the data to the session that is being left (P4)."""
        state = self.state
        Session.clear(self)  # whatever a framework's kind of session does beside
        state.own = {}
        state.steps, state.mark, state.carries = [], state.settings.empty, False

    @property
    def pending(self) -> Pending | None:
        """The sign-in that waits for its second factor, if there is one that is not over."""
        kept, policy = self.state.own.get(PENDING), self.state.settings.policy
        if kept is None or kept["attempts"] < 1:
            return None
        over = kept["since"] + policy.factor_timeout // timedelta(milliseconds=1)
        if self.state.acted_at >= over:
            return None
        return Pending(kept["subject"], kept["attempts"], moment(over))

    def expect_factor(self, subject: str) -> None:
        """Note that the password of `subject` was right, and that a second factor is to come.

        Nobody is signed in by it: `subject` stays `None`, as after a wrong password. It is over
        with `Policy.factor_timeout` or `factor_attempts`. `Sessions.spend_attempt` is asked before
        each code is checked, and `sign_in` with the assurance of both completes it.

        The token changes, as whoever planted or copied the visitor's would have passed the first
        factor otherwise. A session that somebody is signed in to ends.

        Raises:
            ValueError: `subject` is empty or no text.
        """
        self.state.require_no_commit()
        if not _is_text(subject):
            raise ValueError("expect_factor needs a text that is not empty")
        if self.state.subject is not None:
            self.end()
        state = self.state
        attempts = state.settings.policy.factor_attempts
        subject = str.__str__(subject)
        since, bar = state.acted_at, state.own_bar(subject)
        state.own = {
            PENDING: {"subject": subject, "since": since, "attempts": attempts, "bar": bar}
        }
        state.privilege = Rotate()

    @property
    def actor(self) -> str | None:
        """The user id of who acts as `subject`, while somebody impersonates."""
        actor = self.state.actor
        return actor.subject if actor else None

    def impersonate(self, subject: str) -> None:
        """Let the user who is signed in act as `subject`, until `stop_impersonating`.

        Whether they may is the application's to check. Their session gives way to a new one of
        `subject`, which starts empty and lives no longer than it did, and at most a day. Assurance
        and `authenticated_at` stay those of the actor, who alone was authenticated.

        Raises:
            Unauthenticated: nobody is signed in.
            ValueError: `subject` is empty or no text, or signed in already.
            RuntimeError: this is an impersonation already, or the privileges changed in this very
                request.
        """
        actor, state = self.require_subject(), self.state
        if not _is_text(subject) or subject == actor:
            raise ValueError("impersonate needs the id of another user")
        if self.actor is not None:
            raise RuntimeError("stop_impersonating comes first")
        base = self._base_of_login()
        at, begun_at = base.authenticated_at or 0, state.opened_at
        login = Login(at, min(base.ends_at, begun_at + BAR_KEPT))
        kept = Actor(actor, base.assurance, at, base.ends_at, begun_at)
        self._go_on_as(SignIn(str.__str__(subject), base.assurance, login))
        state.own = {ACTOR: kept._asdict()}

    def stop_impersonating(self) -> None:
        """Let the actor be who they were: the same login, in a new session that starts empty.

        Raises:
            RuntimeError: nobody impersonates, or the privileges changed in this very request.
        """
        if (actor := self.state.actor) is None:
            raise RuntimeError("nobody impersonates in this session")
        self._base_of_login()
        login = Login(actor.authenticated_at, actor.ends_at)
        self._go_on_as(SignIn(actor.subject, actor.assurance, login))

    def _base_of_login(self) -> Record:
        state = self.state
        state.require_no_commit()
        if state.base is None or state.privilege is not None:
            raise RuntimeError("the privileges changed in this request: do one at a time")
        return state.base

    def _go_on_as(self, sign_in: SignIn) -> None:
        self._start_empty()
        self.state.note(self)
        self.state.signed_at = 0
        self.state.privilege = sign_in

    def step_up(self, assurance: int) -> None:
        """Note that the signed-in user proved more, such as a second factor. The token changes.

        Raises:
            Unauthenticated: nobody is signed in.
            ValueError: `assurance` is below what the session has.
            TypeError: what was put in until now, while in doubt, cannot be stored.
        """
        self.state.require_no_commit()
        doubt = self.state.doubt
        if doubt is not None and assurance >= doubt.record.assurance:
            self._take_up(doubt)
        self.require_subject()
        if assurance < self.assurance:
            raise ValueError(f"assurance {assurance} is below the session's {self.assurance}")
        assurance = int(assurance)
        if isinstance(pending := self.state.privilege, SignIn):
            self.state.privilege = pending._replace(assurance=assurance)
        else:
            self.state.privilege = StepUp(assurance)

    def _take_up(self, doubt: Doubt) -> None:
        """Be again the session that was withheld, with what its user put in as a visitor since.

        Only with keys that it lacks, as the visitor's cookie may have been planted; and with none
        where little room would be left, so that nobody is kept out by it.
        """
        state, settings = self.state, self.state.settings
        with hidden():
            state.note(self)
        visitor, before = moving(settings.codec.decode(state.mark)), state.base
        withheld = state.take_up(doubt)
        show(self, withheld)
        if visitor and not has_room(settings.codec.encode({**visitor, **withheld}), settings):
            return
        content = settings.codec.encode(visitor)

        def add(data: Data) -> None:
            for key, value in settings.codec.decode(content).items():
                data.setdefault(key, value)

        self.edit(add)
        if before is not None:
            state.leaving = (before,)

    def privilege_changed(self) -> None:
        """Rotate: change the token, as role, permissions or password changed; older ones die.

        `sign_in`, `step_up`, `expect_factor`, `impersonate` and `stop_impersonating` do so by
        themselves. When the session is committed; `Sessions.rotate` does it at once.
        """
        self.state.require_no_commit()
        if self.state.privilege is None:
            self.state.privilege = Rotate()

    def end(self) -> None:
        """End the session everywhere, now in this dict and in the store when it is committed.

        It holds even when the request then fails. What is put in afterwards starts a new one.
        """
        self.state.require_no_commit()
        super().clear()
        self.state.end()

    def clear(self) -> None:
        """Empty the data. A stored session that is left empty ends, whatever others wrote to it.

        An impersonation does not: that it is one stays known until it is stopped, or ended.
        """
        self.state.require_no_commit()
        self.state.is_cleared = True
        self.state.own.pop(PENDING, None)
        super().clear()

    def edit(self, change: Edit) -> None:
        """Run `change(data)`, and again on the fresh data if another request was faster.

        For counters, queues and whatever depends on the present value: no update is lost.
        `change` modifies the dict it is given and must do nothing else. Where it is run again, it
        sees the context variables of this moment, so those of its own request.

        Raises:
            TypeError: a value cannot be stored, it names the key; or `change` is `async`.
            Exception: whatever `change` raises, now and when it is run again by the commit.
        """
        if iscoroutinefunction(change):
            raise TypeError("edit needs a plain function: it is run while the session is saved")
        state = self.state
        state.require_no_commit()
        with hidden():
            state.note(self)
            change(self)
            again = past(change)
            state.mark = state.settings.codec.encode(state.kept(self))
        context = copy_context()
        state.steps.append(lambda data: context.run(again, data))

    def __repr__(self) -> str:
        keys = ", ".join(map(repr, self)) or "nothing"
        return f"<Session {self.id} of {self.subject!r} with {keys}>"


def show(session: Session, data: Mapping[str, Any]) -> None:
    """Let a session hold `data`, which is nothing that the application did."""
    dict[str, Any].clear(session)
    session.update(data)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else moment(ms)


def _is_text(subject: object) -> bool:
    """Tell whether every store can keep it as it is."""
    try:
        return isinstance(subject, str) and bool(subject.encode())
    except UnicodeEncodeError:
        return False
