"""The session an application works with: a dict that remembers what was done to it.

Nothing in it does I/O, so it is the same object under every framework. What was asked for happens
when the adapter commits, before the response starts.
"""

from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import replace
from datetime import datetime
from inspect import iscoroutinefunction
from typing import Any

from coatcheck.core.info import SessionInfo, moment
from coatcheck.core.intents import LIBRARY_KEYS, Edit, Rotate, SignIn, StepUp
from coatcheck.core.outcome import Holder
from coatcheck.core.record import Client
from coatcheck.core.standing import Standing
from coatcheck.core.state import State
from coatcheck.errors import Unauthenticated


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
    def is_over(self) -> bool:
        """Whether the client believes to be signed in, by a token that opens nothing."""
        return self.state.presented is Holder.SIGNED_IN and self.standing is not Standing.CURRENT

    @property
    def over_because(self) -> str | None:
        """Why the session that the request presented ended, such as `evicted` or `end_all`.

        Known for two minutes; it is told to whoever presents the session's id.
        """
        return self.state.ended

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
        """
        if (subject := self.subject) is None:
            raise Unauthenticated("nobody is signed in")
        return subject

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
        """The address and agent that opened the session; of this request while it is new."""
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
        if state.subject is None:
            for key in [key for key in self if key.startswith(LIBRARY_KEYS)]:
                del self[key]
        elif state.subject != subject:
            Session.clear(self)  # whatever a framework's kind of session does beside
            state.steps, state.mark, state.carries = [], state.settings.empty, False
        state.note(self)
        if not isinstance(state.privilege, SignIn) or state.privilege.subject != subject:
            state.signed_at = len(state.steps)
        state.privilege = SignIn(subject, assurance)
        state.is_gone = False

    def step_up(self, assurance: int) -> None:
        """Note that the signed-in user proved more, such as a second factor. The token changes.

        Raises:
            Unauthenticated: nobody is signed in.
            ValueError: `assurance` is below what the session has.
        """
        self.state.require_no_commit()
        self.require_subject()
        if assurance < self.assurance:
            raise ValueError(f"assurance {assurance} is below the session's {self.assurance}")
        assurance = int(assurance)
        if isinstance(pending := self.state.privilege, SignIn):
            self.state.privilege = pending._replace(assurance=assurance)
        else:
            self.state.privilege = StepUp(assurance)

    def rotate(self) -> None:
        """Change the token, as after a change of role or password; every older one dies."""
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
        """Empty the data. A stored session that is left empty ends, whatever others wrote to it."""
        self.state.require_no_commit()
        self.state.is_cleared = True
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
        state.note(self)
        change(self)
        state.mark = state.settings.codec.encode(state.kept(self))
        context = copy_context()
        state.steps.append(lambda data: context.run(change, data))

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
