"""The state of a request's session, beside its dict: what was opened, and what was done since."""

from collections.abc import MutableMapping
from typing import Any

from coatcheck.core.csrf import fits
from coatcheck.core.doubt import Doubt
from coatcheck.core.events import USER, administrator
from coatcheck.core.intents import Difference, Privilege, SignIn, Step
from coatcheck.core.outcome import Cookies, Holder
from coatcheck.core.own import ACTOR, PENDING, Actor, spend, take, without
from coatcheck.core.record import Client, Ended, Record
from coatcheck.core.renewal import is_due, quiet_until
from coatcheck.core.settings import Settings
from coatcheck.core.standing import Standing
from coatcheck.core.token import Token, new_lineage
from coatcheck.errors import StoreUnavailable, TooManyBadTokens


class State:
    """The library's side of a `Session`. For adapters; applications use the session's methods.

    Attributes:
        opened_at: when the request arrived, milliseconds UTC.
        clock_offset: how far the clock was known to be off then, milliseconds.
        acted_at: the activity to record: the opening, or a later commit of the same request.
        standing: what the presented token was.
        token: the token that opened it; a secret.
        acting: who acts as its subject, in an impersonation that this request came with.
        is_held: whether whoever holds that token presents it.
        was_seen_at: the last activity before this request.
        presented: in whose place it came, where there was one.
        ended_because: why its session ended, where that is still known.
        failure: why the session could not be loaded; every look at it raises this.
        refusal: that, for a token of a client which presented too many that open nothing.
        unreadable: the record of a good token whose data cannot be read.
        doubt: what is withheld, as the client may not be its user's.
        taken_up: what was, until the proof is stored.
        beside: what stood beside it before: token, record and encoded data.
        leaving: the records that give way to who is proved, once that is stored.
        base: the record that is stored as far as this request knows; `None` while there is none.
        quiet_until: before then neither its touch nor its renewal is due.
        content: its data, encoded.
        mark: the data, encoded, up to which `steps` tell what was done.
        signed_at: how many of the steps were done before the sign-in.
        carries: whether a sign-in takes the data along.
        is_cleared: whether the data was cleared by that name.
        is_wanted: whether it is stored though it is empty, as its token was asked for.
        ending: the records that `end()` was called on.
        signs_out: whether this request ended what it came with, or found it over when it was to.
        is_in_doubt: a save had no answer that could be trusted; nothing more is saved on top.
        is_gone: the session ended elsewhere meanwhile; nothing of it is saved again.
        bar: the subject all of whose sessions this very request ended, and when.
        first_factor: the subject whose second factor this request has, when the request of the
            first one arrived, and the bar of the subject that it raised itself.
        is_deliverable: whether the client can be handed a token at all.
        kept_for: how many seconds the client keeps a token from this request, instead of what the
            transport's settings say; 0: until the browser is closed.
        is_development: whether it is served for development.
        is_activity: whether the request counts as activity of the user (ASVS 5.0 V7.3.1).
        is_committing: whether a commit is under way; it knows what was done before it began.
        is_committed: whether a commit was made already; the next is later activity.
        is_late: whether the response has started, so that nobody may look for the first time.
        is_sent: whether it is whole, so that they may again: nothing of it is in there.
        unseen: the data, where nobody looked at it yet.
        is_seen: false while nobody has looked at a session that `admit` opened.
        own: what the library keeps beside the data; see `core.own`.
        clock_error: how far the clock may be off the store's, milliseconds.
        lent: by key, the defaults that `SessionData` put into the data, and each encoded.
        cookies: what the client is to be told with the response.
        lineage: of the token that the next commit mints, where it is known before.
        shows_token: whether the response holds a token of its forms, or an access token.
    """

    __slots__ = (
        "acted_at",
        "acting",
        "bar",
        "base",
        "beside",
        "carries",
        "client",
        "clock_error",
        "clock_offset",
        "content",
        "cookies",
        "doubt",
        "ended_because",
        "ending",
        "failure",
        "first_factor",
        "is_activity",
        "is_cleared",
        "is_committed",
        "is_committing",
        "is_deliverable",
        "is_development",
        "is_gone",
        "is_held",
        "is_in_doubt",
        "is_late",
        "is_seen",
        "is_sent",
        "is_wanted",
        "kept_for",
        "leaving",
        "lent",
        "lineage",
        "mark",
        "opened_at",
        "own",
        "presented",
        "privilege",
        "quiet_until",
        "refusal",
        "settings",
        "shows_token",
        "signed_at",
        "signs_out",
        "standing",
        "steps",
        "taken_up",
        "token",
        "unreadable",
        "unseen",
        "was_seen_at",
    )

    # One is made for each request. Past thirty attributes without slots, each would have a dict of
    # its own, which is slower to read; a dataclass's `__init__` would take twice the time.
    def __init__(
        self,
        settings: Settings,
        opened_at: int,
        clock_offset: int,
        client: Client,
        *,
        is_activity: bool,
    ) -> None:
        self.settings, self.client = settings, client
        self.opened_at = self.acted_at = opened_at
        self.clock_offset = clock_offset
        self.is_activity = is_activity
        self.content = self.mark = settings.empty
        self.standing = Standing.NONE
        self.presented: Holder | None = None
        self.ended_because: Ended | None = None
        self.token: Token | None = None
        self.acting: str | None = None
        self.is_held = True
        self.was_seen_at = 0
        self.failure: StoreUnavailable | TooManyBadTokens | None = None
        self.refusal: TooManyBadTokens | None = None
        self.unreadable: Record | None = None
        self.doubt: Doubt | None = None
        self.taken_up: Doubt | None = None
        self.beside: tuple[Token | None, Record | None, bytes] | None = None
        self.leaving: tuple[Record, ...] = ()
        self.base: Record | None = None
        self.quiet_until = 0
        self.privilege: Privilege = None
        self.signed_at = 0
        self.carries = True
        self.is_cleared = False
        self.is_wanted = False
        self.signs_out = False
        self.is_in_doubt = False
        self.is_gone = False
        self.bar: tuple[str, int] | None = None
        self.first_factor: tuple[str, int, int] | None = None
        self.is_deliverable = True
        self.kept_for: int | None = None
        self.is_development = False
        self.is_committing = False
        self.is_committed = False
        self.is_late = self.is_sent = False
        self.unseen: dict[str, Any] | None = None
        self.is_seen = True
        self.lent: dict[str, tuple[Any, bytes]] | None = None
        self.lineage: str | None = None
        self.shows_token = False
        self.clock_error = 0
        self.steps: list[Step] = []
        self.ending: list[Record] = []
        self.own: dict[str, Any] = {}
        self.cookies = Cookies()

    @property
    def subject(self) -> str | None:
        """Who the session belongs to, a sign-in of this request included."""
        if isinstance(self.privilege, SignIn):
            return self.privilege.subject
        return self.base.subject if self.base else None

    @property
    def actor(self) -> Actor | None:
        """Whose login goes on when the impersonation is over, if it is one."""
        kept = self.own.get(ACTOR)
        return None if kept is None else Actor(**kept)

    def actor_on(self, subject: str | None) -> str:
        """Return who does what this request does to a session of `subject`, for an event."""
        acting = self.acting or (self.own[ACTOR]["subject"] if ACTOR in self.own else None)
        return USER if acting is None or acting == subject else administrator(acting)

    def proving_since(self, subject: str) -> int:
        """When the proof of who the user is began: with this request, or with the first factor."""
        whose, since, _ = self.first_factor or (None, 0, 0)
        return min(since, self.opened_at) if whose == subject else self.opened_at

    def own_bar(self, subject: str) -> int:
        """The bar that was raised by those who signed in beside it; 0: they raised none."""
        if self.bar is not None and self.bar[0] == subject:
            return self.bar[1]
        whose, _, bar = self.first_factor or (None, 0, 0)
        return bar if whose == subject else 0

    @property
    def held(self) -> Token | None:
        """The token of what is stored, that the client has or is handed; a secret."""
        id = self.base and self.base.id
        known = [*self.cookies.values(), self.token]
        return next((token for token in known if token and token.id == id), None)

    def coming_lineage(self) -> str:
        """Return the lineage of the token that the client has once it has the response.

        Where that one is still to be minted, the commit is held to it, and to storing a session.
        While a session is withheld, it is that one's.

        Raises:
            RuntimeError: it is too late for that, or the session was opened without its token, by a
                ticket, so that nothing is known of the lineage but its digest.
        """
        if self.doubt is not None:
            return self.doubt.token.lineage
        if self.privilege is None:
            if (token := self.held) is not None:
                return token.lineage
            if self.base is not None:
                raise RuntimeError(
                    "a session that a ticket opened has no token to make another one of: ask for "
                    "it in the request that issues the ticket"
                )
        self.require_no_commit()
        if self.is_late:
            raise RuntimeError(
                "the response has started, so no session can be handed out with it any more: ask "
                "for the token before"
            )
        if self.lineage is None:
            self.lineage = new_lineage(self.settings.random)
        self.is_wanted = True
        return self.lineage

    def has_issued(self, csrf_token: object) -> bool:
        """Tell whether a token of a form is of the session that the request's own token opens.

        Or would open, were its user proved: which page made a request is one question, who made it
        another, and to that one the answer stays nobody. No visitor's token stands in for that one,
        as the cookie beside it may have been planted.
        """
        token = self.token if self.doubt is None else self.doubt.token
        return token is not None and fits(token.lineage, csrf_token)

    @property
    def is_touch_due(self) -> bool:
        """Whether the request's activity is worth a write of its own."""
        base, acted_at = self.base, self.acted_at
        if acted_at < self.quiet_until or base is None or not self.is_activity:
            return False
        return acted_at >= self.settings.policy.touch_at(base)

    @property
    def is_renewal_due(self) -> bool:
        """Whether the first commit may renew the request's token, or confirm that it arrived."""
        base = self.base
        if self.acted_at < self.quiet_until or base is None:
            return False
        if self.token is None or self.is_committed:
            return False
        if not self.is_deliverable or not self.is_held:
            return False
        if base.renew_nonce is not None:
            return True
        return self.is_activity and is_due(base, self.settings.policy, self.acted_at)

    def start(self, base: Record | None, content: bytes) -> None:
        """Take `base` with the encoded `content` as what is stored: nothing was done to it yet."""
        self.base, self.quiet_until = base, 0
        self.content = self.mark = content
        self.steps, self.signed_at = [], 0
        self.privilege = None
        self.carries, self.is_cleared, self.is_in_doubt = True, False, False
        self.is_wanted = False
        self.lineage = None
        if base is None:
            self.own = {}

    def believe(self, data: dict[str, Any]) -> None:
        """Take `data`, without what is not to be believed, or with what is, as what was opened.

        Before anything was done to it. It is no edit, but the next save is of this.
        """
        data = self.kept(data)
        self.content = self.mark = self.settings.codec.encode(data) if data else self.settings.empty

    def withhold(self, doubt: Doubt) -> None:
        """Show nothing of a session until its user is proved."""
        self.standing, self.doubt = Standing.DOUBTED, doubt
        if self.beside is not None:
            self.token, base, content = self.beside
            self.start(base, content)
        self.forget_doubt()

    def pass_by(self, doubt: Doubt) -> None:
        """Go on beside the session that is withheld, as somebody else is being proved."""
        self.doubt, self.taken_up = None, doubt
        self.beside = self.token, self.base, self.content
        self.leaving = (doubt.record,)

    def take_up(self, doubt: Doubt) -> dict[str, Any]:
        """Be the session that was withheld, as its user is being proved; return its data."""
        self.pass_by(doubt)
        self.leaving = ()
        self.token, self.was_seen_at = doubt.token, doubt.record.seen_at
        content = self.settings.codec.encode(doubt.data)
        self.start(doubt.record, content)
        self.is_gone = False
        return self.fill(doubt.record, content)

    def forget_doubt(self) -> None:
        """Know of no session that was withheld: the proof is stored, or not to be."""
        self.taken_up, self.beside, self.leaving = None, None, ()

    def fill(self, record: Record, content: bytes) -> dict[str, Any]:
        """Take a record with its encoded `content` as what was opened, and return its data.

        Raises:
            Undecodable: it cannot be read.
        """
        data = self.data_of(content)
        if self.own:
            self.acting = self.own.get(ACTOR, {}).get("subject")
            content = self.settings.codec.encode({**data, **self.own})  # as it will be compared
        self.base, self.content, self.mark = record, content, content
        self.quiet_until = quiet_until(record, self.settings.policy)
        return data

    def data_of(self, content: bytes) -> dict[str, Any]:
        """Decode what is stored: put the library's own apart, and return the data.

        Raises:
            Undecodable: it cannot be read.
        """
        data = self.settings.codec.decode(content)
        self.own = take(data) if ACTOR in data or PENDING in data else {}
        return data

    def spend(self, data: dict[str, Any]) -> None:
        """Take one attempt off the sign-in that waits, in each commit that is tried.

        Raises:
            Unauthenticated: there is none left.
        """
        self.note(data)
        kept = dict(self.kept(data))
        spend(kept)
        self.mark = self.settings.codec.encode(kept)
        self.own = take(kept)
        self.steps.append(spend)

    def end(self) -> None:
        """Have what is stored ended by the next commit, and begin with nothing."""
        doubt = self.doubt or self.taken_up
        withheld = doubt.record if doubt else None
        records = (self.base, self.unreadable, withheld, self.beside and self.beside[1])
        self.ending += {record.id: record for record in records if record is not None}.values()
        self.unreadable = self.doubt = None
        self.forget_doubt()
        self.signs_out = True
        self.start(None, self.settings.empty)
        self.is_gone = False

    def require_no_commit(self) -> None:
        """Refuse what a commit under way would drop, as it cannot know of it any more.

        Raises:
            RuntimeError: another task is committing this very session.
        """
        if self.is_committing:
            raise RuntimeError(
                "another task is committing this session: await that first, or share a lock"
            )

    def correct(self, clock_offset: int, clock_error: int = 0) -> None:
        """Correct the times by what is known of the clock now (T5)."""
        self.clock_error = clock_error
        if clock_offset == self.clock_offset:
            return
        self.opened_at += clock_offset - self.clock_offset
        self.acted_at += clock_offset - self.clock_offset
        self.clock_offset = clock_offset

    def has_nothing_to_do(self, data: dict[str, Any]) -> bool:
        """Note the plain edits, and tell whether nothing at all is to be carried out.

        Raises:
            TypeError: a value cannot be encoded.
        """
        if self.is_in_doubt or self.is_gone:
            return False
        self.note(data)
        if self.is_wanted and self.base is None:
            return False
        if self.mark != self.content or self.privilege is not None:
            return False
        return not self.is_touch_due and not self.is_renewal_due

    def is_unsaved(self, data: dict[str, Any]) -> bool:
        """Tell whether anything was done since the last commit."""
        if not self.is_seen or self.failure is not None:
            return False
        try:
            self.note(data)
        except TypeError:
            return True
        return self.is_changing_privileges or self.mark != self.content

    @property
    def is_changing_privileges(self) -> bool:
        """Whether the next commit makes another token, or another session, of this one."""
        return self.privilege is not None or bool(self.ending)

    def is_emptied(self, data: dict[str, Any]) -> bool:
        """Tell whether the next commit ends the session, as nothing is left in it."""
        return not self.kept(data) and self.content != self.settings.empty

    def note(self, data: dict[str, Any]) -> None:
        """Turn the plain edits since the last mark into a step.

        Raises:
            TypeError: a value cannot be encoded.
        """
        data = self.kept(data)
        after = self.settings.codec.encode(data, self.mark) if data else self.settings.empty
        if after != self.mark:
            self.steps.append(Difference(self.mark, after))
            self.mark = after

    def lend(self, data: MutableMapping[str, Any], key: str, value: Any) -> None:
        """Put a default into the data, where it counts only once it is changed.

        Raises:
            TypeError: it cannot be encoded.
        """
        encoded = self.settings.codec.encode({key: value})
        data[key] = value
        self.lent = {**(self.lent or {}), key: (value, encoded)}

    def kept(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data as it is stored: with the library's own, whatever stands in its place.

        Without the defaults that were lent and are still as they were.
        """
        if self.lent is not None:
            data = {key: value for key, value in data.items() if not self._is_as_lent(key, value)}
        if self.own or ACTOR in data or PENDING in data:
            return {**without(data), **self.own}
        return data

    def _is_as_lent(self, key: str, value: Any) -> bool:
        lent, encoded = (self.lent or {}).get(key, (None, b""))
        if lent is None or value is not lent:
            return False
        try:
            return self.settings.codec.encode({key: value}) == encoded
        except TypeError:
            return False  # whoever encodes all of the data says what is wrong
