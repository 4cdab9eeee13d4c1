"""One request's way in and out, whatever the framework: what goes with the commit of its session.

Written once, as `async`; an adapter of a blocking framework runs it on the spot with `finish`.
"""

from collections.abc import Collection

from coatcheck.core.outcome import Holder
from coatcheck.core.session import Session
from coatcheck.core.standing import Standing
from coatcheck.errors import CoatcheckError, StepUpRequired, StoreUnavailable
from coatcheck.lookout import OnEnd, Watched
from coatcheck.sessions import Sessions
from coatcheck.web import clear_site_data
from coatcheck.web.answers import Answer, answer, challenge, see_other
from coatcheck.web.caching import LOOKED_AT, protect
from coatcheck.web.cookie import LONGEST_LIFE
from coatcheck.web.redirect import ToPage
from coatcheck.web.transport import Headers, Transport

OWN = (*LOOKED_AT, "clear-site-data")
"""How headers of a response end that `Exchange.depart` looks at, and may change or leave out."""


class Exchange:
    """A request whose session is open, until its response starts.

    Attributes:
        session: the session, perhaps not looked at yet.
        is_answered: whether an error of the session was answered in the application's place.
        is_over: whether the response is made, so that what is done from now on is not saved.
        refused: why the request is not to reach the application, if it is not.
    """

    refused: CoatcheckError | None = None

    def __init__(
        self,
        sessions: Sessions,
        session: Session,
        transport: Transport | None,
        mount: str,
        to_page: ToPage | None = None,
        at_logout: bool | Collection[str] = False,
    ) -> None:
        """Take what `Gate.enter` found.

        Args:
            transport: what carries tokens on this connection; `None`: nothing may.
            mount: the path the application is mounted at.
            to_page: tells where this request leads if its user must prove more.
            at_logout: what the browser is asked to clear if its user logs out by the answer.
        """
        self.session = session
        self.is_answered = self.is_over = False
        self._sessions, self._transport, self._mount = sessions, transport, mount
        self._to_page, self._at_logout = to_page, at_logout

    def saves(self, status: int) -> bool:
        """Tell whether the commit of a response with this status saves what was done."""
        state = self.session.state
        return state.is_seen and state.failure is None and status < 500

    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        """Commit, before the first byte of the response.

        Args:
            status: of the response; from 500 on the request failed, and only an `end()` holds.
            is_last: whether nobody may look at the session for the first time any more.

        Raises:
            Exception: see `Sessions.commit`; to be given to `answer`.
        """
        await self._sessions.commit(self.session, discard=status >= 500)
        self.session.state.is_late = is_last

    async def fail(self, error: Exception) -> Answer | None:
        """Let an `end()` hold, as the application raised; return the answer in place of a response.

        `None`: the error is the application's own.
        """
        try:
            await self._sessions.commit(self.session, discard=True)
        except StoreUnavailable as unavailable:
            error = unavailable if answer(error) else error
        return self.answer(error)

    def again(self, session: Session) -> "Exchange":
        """Return the way out for what happens on the same connection, with the same session."""
        again = Exchange(
            self._sessions, session, self._transport, self._mount, self._to_page, self._at_logout
        )
        again.refused = self.refused
        return again

    async def leave(self) -> None:
        """Let an `end()` hold even where there was no response."""
        if self.session.state.ending:
            await self._sessions.commit(self.session, discard=True)

    def watch(self, on_end: OnEnd | None = None) -> Watched | None:
        """Look after a response that goes on after it started. See `Sessions.watch`."""
        return self._sessions.watch(self.session, on_end)

    def report_unsaved(self) -> None:
        """Report what was done to the session while the response was being sent."""
        self._sessions.report_unsaved(self.session)

    def depart(self, headers: Headers) -> Headers:
        """Return the response's headers with what the session adds to them, after the commit.

        Nothing, when nobody looked at it.
        """
        transport, state = self._transport, self.session.state
        if transport is None or not state.is_seen:
            return headers
        if isinstance(state.failure, StoreUnavailable):
            state.cookies.drop_deletions()  # an outage deletes nothing, whoever answers it
        protected = protect(headers, vary=transport.vary, hands_over=self.hands_over)
        if state.cookies:
            protected += transport.write(state.cookies, self._mount, self._kept_for())
        if self._logs_out and not clear_site_data.is_in(headers):
            keeps = any(state.cookies.values())  # as a token of a visitor's
            protected += clear_site_data.line(self._at_logout, keeps_cookies=keeps)
        return protected

    @property
    def _is_visitor(self) -> bool:
        """Whether the client presented no login, neither one that is good nor one that was."""
        state = self.session.state
        if state.presented is not Holder.SIGNED_IN:
            return True
        # One header may carry either. A visitor's session beside a dead login has its standing.
        is_current = state.standing is Standing.CURRENT
        return is_current and state.base is not None and state.base.subject is None

    @property
    def _logs_out(self) -> bool:
        """Whether the browser is told to forget its login, as this request ended it."""
        state = self.session.state
        return state.signs_out and state.cookies.get(Holder.SIGNED_IN, False) is None

    @property
    def hands_over(self) -> bool:
        """Whether there is a token in the response, of the session or of its forms."""
        return bool(self.session.state.cookies) or self.session.state.shows_token

    def _kept_for(self) -> int | None:
        """Return for how many seconds the client keeps a token: no longer than it can be good."""
        asked, policy = self.session.state.kept_for, self._sessions.policy
        if asked is None:
            return None
        if policy.profile is not None and not policy.profile.permits("Cookie", "max_age", asked):
            return 0  # its cookies go with the browser
        return min(asked, int(min(policy.absolute, LONGEST_LIFE).total_seconds()))

    def answer(self, error: Exception) -> Answer | None:
        """Return the whole answer to an error of the session, `None` for the application's own."""
        response = answer(error, is_visitor=self._is_visitor)
        if response is None:
            return None
        self.is_answered = True
        if response.status == 503:
            self.session.state.cookies.drop_deletions()  # an outage deletes nothing
        if isinstance(error, StepUpRequired) and self._to_page is not None:
            page = self._to_page()
            response = response if page is None else see_other(page)
        headers = list(response.headers)
        if response.status == 401 and self._transport is not None:
            said = challenge(error, self._transport.challenge)
            headers += [] if said is None else [(b"www-authenticate", said)]
        return response._replace(headers=self.depart(headers))
