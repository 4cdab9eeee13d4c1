"""Sessions for threads without an event loop: the same code, run to its end on the spot."""

from collections.abc import Callable, Mapping, Sequence

from coatcheck.core.claims import Claims
from coatcheck.core.envelope import Envelope
from coatcheck.core.events import Listener
from coatcheck.core.merge import Merge
from coatcheck.core.outcome import Outcome
from coatcheck.core.policy import Policy
from coatcheck.core.presented import Presented
from coatcheck.core.record import NOBODY, Client
from coatcheck.core.session import Session
from coatcheck.core.token import Token
from coatcheck.core.unseen import Unseen
from coatcheck.door import Arrival
from coatcheck.keyed import KeyedTokens
from coatcheck.parts import log
from coatcheck.sessions import Infos, Sessions, require
from coatcheck.stores.protocol import Store
from coatcheck.waiting import Kind, finish


class _Finished(Sessions):
    _writes_behind = False

    def _check(self, store: Store) -> None:
        require(store, not_=Kind.ASYNCIO, user="BlockingSessions", needs="a blocking store")


class BlockingSessions:
    """All sessions of an application, for threads.

    Each method is that of `Sessions`, blocking; what adapters need besides is in `inner`.
    """

    def __init__(
        self,
        store: Store,
        *,
        policy: Policy | None = None,
        merge: Mapping[str, Merge] | None = None,
        on_event: Listener = log,
        clock: Callable[[], int] | None = None,
        envelope: Envelope | None = None,
        notify: Listener | None = None,
        tokens: KeyedTokens | None = None,
    ) -> None:
        """See `Sessions`."""
        self._sessions = _Finished(
            store,
            policy=policy,
            merge=merge,
            on_event=on_event,
            clock=clock,
            envelope=envelope,
            notify=notify,
            tokens=tokens,
        )
        self.policy = self._sessions.policy

    @property
    def inner(self) -> Sessions:
        """The same as coroutines that never suspend, for code that is written once for both."""
        return self._sessions

    def open(
        self,
        token: Token | None,
        *,
        client: Client = NOBODY,
        is_activity: bool = True,
        is_held: bool = True,
    ) -> Session:
        """See `Sessions.open`."""
        opened = self._sessions.open(token, client=client, is_activity=is_activity, is_held=is_held)
        return finish(opened)

    def admit(
        self,
        presented: Sequence[Presented],
        *,
        client: Client = NOBODY,
        is_activity: bool = True,
        of: type[Unseen] = Unseen,
        arrival: Arrival | None = None,
    ) -> Session:
        """See `Sessions.admit`."""
        admitting = self._sessions.admit(
            presented, client=client, is_activity=is_activity, of=of, arrival=arrival
        )
        return finish(admitting)

    def commit(self, session: Session, *, discard: bool = False) -> Outcome:
        """See `Sessions.commit`."""
        return finish(self._sessions.commit(session, discard=discard))

    def issue_ticket(self, session: Session, *, origin: str | None) -> str:
        """See `Sessions.issue_ticket`."""
        return finish(self._sessions.issue_ticket(session, origin=origin))

    def rotate(self, session: Session) -> Outcome:
        """See `Sessions.rotate`."""
        return finish(self._sessions.rotate(session))

    def spend_attempt(self, session: Session) -> str:
        """See `Sessions.spend_attempt`."""
        return finish(self._sessions.spend_attempt(session))

    def end(
        self,
        id: str,
        *,
        subject: str | None = None,
        actor: Session | str | None = None,
        reason: str | None = None,
    ) -> bool:
        """See `Sessions.end`."""
        return finish(self._sessions.end(id, subject=subject, actor=actor, reason=reason))

    def end_all(
        self,
        subject: str,
        *,
        keep: Session | None = None,
        actor: Session | str | None = None,
        reason: str | None = None,
    ) -> int:
        """See `Sessions.end_all`."""
        return finish(self._sessions.end_all(subject, keep=keep, actor=actor, reason=reason))

    def end_everything(
        self, *, actor: Session | str | None = None, reason: str | None = None
    ) -> int:
        """See `Sessions.end_everything`."""
        return finish(self._sessions.end_everything(actor=actor, reason=reason))

    def require_live(self, claims: Claims) -> None:
        """See `Sessions.require_live`."""
        finish(self._sessions.require_live(claims))

    def list(self, subject: str, *, current: Session | None = None) -> Infos:
        """See `Sessions.list`."""
        return finish(self._sessions.list(subject, current=current))

    def page(
        self, subject: str | None = None, *, after: str | None = None, limit: int = 100
    ) -> tuple[Infos, str | None]:
        """See `Sessions.page`."""
        return finish(self._sessions.page(subject, after=after, limit=limit))

    def count(self, subject: str | None = None) -> int:
        """See `Sessions.count`."""
        return finish(self._sessions.count(subject))

    def sweep(self) -> int:
        """See `Sessions.sweep`."""
        return finish(self._sessions.sweep())

    def flush(self) -> None:
        """See `Sessions.flush`: threads write at once, so that nothing waits."""
        finish(self._sessions.flush())

    def close(self) -> None:
        """See `Sessions.close`."""
        finish(self._sessions.close())
