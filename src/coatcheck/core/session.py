"""The session an application works with: a dict that remembers what was done to it.

Nothing in it does I/O, so it is the same object under every framework. What was asked for happens
when the adapter commits, before the response starts.
"""

from datetime import UTC, datetime
from typing import Any

from coatcheck.core.info import SessionInfo
from coatcheck.core.intents import LIBRARY_KEYS, Edit, Intents, Rotate, SignIn, Standing, StepUp
from coatcheck.core.record import Client
from coatcheck.errors import Unauthenticated


class Session(dict[str, Any]):
    """The data of one browser or device, and who it belongs to.

    Change it like any dict, nested values too; what changed is saved before the response starts.
    Emptying a stored session ends it, unless the same request signs somebody in.
    """

    __slots__ = ("intents",)
    intents: Intents

    def __init__(self, intents: Intents, data: dict[str, Any] | None = None) -> None:
        super().__init__(data or {})
        self.intents = intents

    @property
    def id(self) -> str | None:
        """The public handle of the session: may be logged, opens nothing. `None` until stored."""
        return self.intents.base.id if self.intents.base else None

    @property
    def subject(self) -> str | None:
        """The user id given to `sign_in`, or `None` for a visitor."""
        return self.intents.subject

    @property
    def standing(self) -> Standing:
        """What the token was that the request presented: tells "expired" from "never signed in"."""
        return self.intents.standing

    @property
    def info(self) -> SessionInfo | None:
        """All that may be shown about the session, as in `Sessions.list`; `None` until stored."""
        return SessionInfo.of(self.intents.base) if self.intents.base else None

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
        return _time(self.intents.base and self.intents.base.created_at)

    @property
    def authenticated_at(self) -> datetime | None:
        """When the user last proved who they are."""
        return _time(self.intents.base and self.intents.base.authenticated_at)

    @property
    def seen_at(self) -> datetime | None:
        """The last activity, this request included once it is committed."""
        return _time(self.intents.base and self.intents.base.seen_at)

    @property
    def expires_at(self) -> datetime | None:
        """When the session is over, at the earliest, if this request is its last activity."""
        base = self.intents.base
        if base is None:
            return None
        seen_at = self.intents.seen_at if self.intents.is_activity else 0
        return _time(min(max(base.seen_at, seen_at) + base.idle, base.ends_at))

    @property
    def assurance(self) -> int:
        """How well the user was authenticated (NIST SP 800-63B-4 AAL 1 to 3); 0 for a visitor."""
        privilege, base = self.intents.privilege, self.intents.base
        if isinstance(privilege, SignIn | StepUp):
            return privilege.assurance
        return base.assurance if base else 0

    @property
    def client(self) -> Client:
        """The address and agent that opened the session; of this request while it is new."""
        return self.intents.base.client if self.intents.base else self.intents.client

    def sign_in(self, subject: str, *, assurance: int = 1) -> None:
        """Make this the session of `subject`, whose credentials this request has just checked.

        The token changes and every older one dies (ASVS 5.0 V7.2.4). The data of a visitor moves
        along; over another user's session it starts empty, now.

        Raises:
            ValueError: `subject` is empty or `assurance` is below 1.
        """
        if not subject or assurance < 1:
            raise ValueError("sign_in needs a subject that is not empty and an assurance from 1 on")
        intents = self.intents
        if intents.subject is None:
            for key in [key for key in self if key.startswith(LIBRARY_KEYS)]:
                del self[key]
        elif intents.subject != subject:
            self.clear()
            intents.steps, intents.mark, intents.carries = [], intents.codec.encode({}), False
        intents.privilege = SignIn(subject, assurance)
        intents.is_gone = False

    def step_up(self, assurance: int) -> None:
        """Note that the signed-in user proved more, such as a second factor. The token changes.

        Raises:
            Unauthenticated: nobody is signed in.
            ValueError: `assurance` is below what the session has.
        """
        self.require_subject()
        if assurance < self.assurance:
            raise ValueError(f"assurance {assurance} is below the session's {self.assurance}")
        if isinstance(pending := self.intents.privilege, SignIn):
            self.intents.privilege = pending._replace(assurance=assurance)
        else:
            self.intents.privilege = StepUp(assurance)

    def rotate(self) -> None:
        """Change the token, as after a change of role or password; every older one dies."""
        if self.intents.privilege is None:
            self.intents.privilege = Rotate()

    def end(self) -> None:
        """End the session everywhere, now in this dict and in the store when it is committed.

        It holds even when the request then fails. What is put in afterwards starts a new one.
        """
        intents = self.intents
        intents.ending = intents.base or intents.ending
        self.clear()
        intents.start(None, intents.codec.encode({}))

    def ignore_activity(self) -> None:
        """Let this request not restart the idle timer: for polls and pings (ASVS 5.0 V7.3.1)."""
        self.intents.is_activity = False

    def edit(self, change: Edit) -> None:
        """Run `change(data)`, and again on the fresh data if another request was faster.

        For counters, queues and whatever depends on the present value: no update is lost.
        `change` modifies the dict it is given and must do nothing else.
        """
        self.intents.note(self)
        change(self)
        self.intents.steps.append(change)
        self.intents.mark = self.intents.codec.encode(self)

    def __repr__(self) -> str:
        keys = ", ".join(map(repr, self)) or "nothing"
        return f"<Session {self.id} of {self.subject!r} with {keys}>"


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
