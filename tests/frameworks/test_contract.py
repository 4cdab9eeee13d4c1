"""The contract catches adapters that are wrong: the WSGI adapter is broken, and a test must fail.

Each way is one that an author of an adapter may go, by a line forgotten or too many. As it is, the
adapter passes: test_wsgi.py.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from coatcheck import Sessions, Standing
from coatcheck.core.intents import StepUp
from coatcheck.core.outcome import Holder
from coatcheck.lookout import OnEnd, Watched
from coatcheck.testing import BrowserContract
from coatcheck.waiting import finish
from coatcheck.web import gate, proxy
from coatcheck.web.answers import Answer
from coatcheck.web.exchange import Exchange
from coatcheck.web.transport import Headers
from tests.frameworks.test_wsgi import TestBare as WsgiContract

VISITOR = "a_visitor_costs_nothing_until_there_is_something_to_keep"
FAILS = "a_request_that_fails_changes_nothing"
END_HOLDS = "an_end_holds_though_the_request_fails"
OUTAGE = "an_outage_signs_nobody_out"
STEPS_UP = "who_must_prove_more_is_told_how_much"
NOT_SAVED = "what_could_not_be_saved_is_unavailable"


class Broken(Exchange):
    """What the broken ones have in common: they know what they were made with."""

    def __init__(self, sessions: Sessions, *rest: Any) -> None:
        super().__init__(sessions, *rest)
        self.sessions = sessions
        self.before: dict[str, Any] = deepcopy(self.session.state.unseen or {})


class CommitsNothing(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        self.session.state.is_late = True


class CommitsAfterTheBody(CommitsNothing):
    def report_unsaved(self) -> None:
        finish(super().commit())


class AddsNoHeaders(Broken):
    def depart(self, headers: Headers) -> Headers:
        return headers


class Drops(Broken):
    """Leaves a header out."""

    line: bytes

    def depart(self, headers: Headers) -> Headers:
        return [each for each in super().depart(headers) if self.line not in b": ".join(each)]


class DropsVary(Drops):
    line = b"vary"


class DropsPrivate(Drops):
    line = b"private"


class DropsNoStore(Drops):
    line = b"no-store"


class DropsDeletions(Drops):
    line = b"Max-Age=0"


class KeepsHeadersInADict(Broken):
    def depart(self, headers: Headers) -> Headers:
        return list(dict(super().depart(headers)).items())


class LooksByItself(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        len(self.session)
        await super().commit(status, is_last=is_last)


class TakesAFailureForAnAnswer(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        await super().commit(200, is_last=is_last)


class CommitsWhatRaised(Broken):
    async def fail(self, error: Exception) -> Answer | None:
        await self.sessions.commit(self.session)
        return self.answer(error)


class ForgetsTheEnd(Broken):
    async def fail(self, error: Exception) -> Answer | None:
        return self.answer(error)


class ReportsNothing(Broken):
    def report_unsaved(self) -> None:
        pass


class NeverLooksAgain(Broken):
    def watch(self, on_end: OnEnd | None = None) -> Watched | None:
        return None


class AnswersNothing(Broken):
    def answer(self, error: Exception) -> Answer | None:
        return None


class ForgetsTheChallenge(Drops):
    line = b"insufficient_user_authentication"


class TakesAnyLoginForEnough(Broken):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.session.state.privilege = StepUp(2)


class GoesOnWithoutTheSave(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        try:
            await super().commit(status, is_last=is_last)
        except Exception:
            self.session.state.is_late = True


class TakesAnOutageForAVisitor(Broken):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.session.state.failure = None


class DeletesDuringAnOutage(Broken):
    def answer(self, error: Exception) -> Answer | None:
        deletions = {holder: None for holder, token in self.cookies.items() if token is None}
        answer = super().answer(error)
        if answer is None:
            return None
        self.cookies.update(deletions)
        return answer._replace(headers=self.depart(answer.headers))

    @property
    def cookies(self) -> dict[Holder, Any]:
        return self.session.state.cookies


class SavesTheWholeDict(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        if self.session.state.is_seen and dict(self.session) != self.before:
            whole = dict(self.session)

            def replace(data: dict[str, Any]) -> None:
                data.clear()
                data.update(whole)

            self.session.edit(replace)
        await super().commit(status, is_last=is_last)


class KeepsADictOfItsOwn(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        if self.session.state.is_seen:
            self.session.update(self.before)
        await super().commit(status, is_last=is_last)


class StartsAnewAfterTheEnd(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        subject = self.session.subject
        await super().commit(status, is_last=is_last)
        if self.session.state.is_gone and subject is not None:
            self.session.sign_in(subject)
            await super().commit(status, is_last=is_last)


class DeletesEveryDeadCookie(Broken):
    def depart(self, headers: Headers) -> Headers:
        if self.session.standing is Standing.RETIRED:
            self.session.state.cookies[Holder.SIGNED_IN] = None
        return super().depart(headers)


class LogsOutTheBrowserAlone(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        state = self.session.state
        if state.is_seen and state.ending:
            state.ending.clear()
            state.cookies[Holder.SIGNED_IN] = None
        await super().commit(status, is_last=is_last)


class ShowsWhatIsWithheld(Broken):
    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        state = self.session.state
        if state.doubt is not None:
            state.unseen = state.doubt.data
            state.take_up(state.doubt)


class ForgetsTheOutage(Broken):
    def depart(self, headers: Headers) -> Headers:
        self.session.state.failure = None
        return super().depart(headers)


class RenewsNothing(Broken):
    async def commit(self, status: int = 200, *, is_last: bool = True) -> None:
        self.session.state.token = None
        await super().commit(status, is_last=is_last)


class LetsEverybodyIn(Broken):
    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, None if name == "refused" else value)


CATCHES: list[tuple[type[Broken], str]] = [
    (CommitsNothing, VISITOR),
    (CommitsAfterTheBody, VISITOR),
    (CommitsAfterTheBody, "a_stream_is_whole_and_committed_before_it_starts"),
    (AddsNoHeaders, VISITOR),
    (DropsVary, VISITOR),
    (DropsPrivate, VISITOR),
    (DropsNoStore, "a_sign_in_takes_the_cart_along_and_retires_the_visitor"),
    (DropsDeletions, "an_expired_session_is_answered_once_and_its_cookie_deleted"),
    (KeepsHeadersInADict, "two_cookies_can_change_in_one_response"),
    (LooksByItself, VISITOR),
    (LooksByItself, OUTAGE),
    (TakesAFailureForAnAnswer, FAILS),
    (CommitsWhatRaised, FAILS),
    (ForgetsTheEnd, END_HOLDS),
    (ReportsNothing, "a_change_after_the_first_byte_is_reported"),
    (NeverLooksAgain, "a_stream_stops_when_its_session_is_over"),
    (AnswersNothing, "nobody_is_told_why"),
    (AnswersNothing, OUTAGE),
    (ForgetsTheChallenge, STEPS_UP),
    (TakesAnyLoginForEnough, STEPS_UP),
    (GoesOnWithoutTheSave, "what_meets_a_rotation_is_not_saved_and_says_so"),
    (GoesOnWithoutTheSave, NOT_SAVED),
    (TakesAnOutageForAVisitor, OUTAGE),
    (DeletesDuringAnOutage, NOT_SAVED),
    (ForgetsTheOutage, "an_outage_deletes_nothing_even_if_the_application_answers_it"),
    (SavesTheWholeDict, "edits_at_the_same_time_are_all_kept"),
    (KeepsADictOfItsOwn, "another_user_starts_with_nothing"),
    (StartsAnewAfterTheEnd, "a_save_that_comes_after_the_end_is_dropped"),
    (DeletesEveryDeadCookie, "a_rotation_retires_the_old_token"),
    (ShowsWhatIsWithheld, "another_client_is_nobody_until_it_proves_the_user"),
    (AnswersNothing, "a_session_that_another_client_presents_can_be_ended"),
    (LogsOutTheBrowserAlone, "a_logout_ends_every_copy"),
    (RenewsNothing, "a_token_is_renewed_by_who_looks_and_stays_good_until_that_arrived"),
    (RenewsNothing, "a_token_that_two_hold_ends_the_session"),
    (LetsEverybodyIn, "what_another_site_makes_a_browser_send_is_refused"),
    (AnswersNothing, "who_begins_too_many_sessions_gets_none"),
    (AnswersNothing, "who_guesses_tokens_is_refused"),
]


@pytest.mark.parametrize(
    ("broken", "test"),
    [pytest.param(*case, id=f"{case[0].__name__}-{case[1]}") for case in CATCHES],
)
def test_a_broken_adapter_fails(
    broken: type[Broken], test: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the failure tells what was expected and what came."""
    monkeypatch.setattr(gate, "Exchange", broken)
    with pytest.raises(AssertionError, match=r"(?s)expected .*came "):
        run(test)


def test_one_that_takes_another_for_the_client_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object) -> proxy.Peer:
        return proxy.Peer("127.0.0.1", secure=True, is_local=False)

    monkeypatch.setattr(proxy.Proxies, "resolve", resolve)
    with pytest.raises(AssertionError, match="the client's address"):
        run(KNOWS_THE_CLIENT)


KNOWS_THE_CLIENT = "a_session_knows_who_opened_it"


def test_every_test_of_the_contract_is_seen_to_fail_here() -> None:
    caught = {f"test_{test}" for _, test in CATCHES} | {f"test_{KNOWS_THE_CLIENT}"}
    assert {name for name in vars(BrowserContract) if name.startswith("test_")} == caught


def run(test: str) -> None:
    contract = WsgiContract()
    method: Callable[[], None] = getattr(contract, f"test_{test}")
    method()
