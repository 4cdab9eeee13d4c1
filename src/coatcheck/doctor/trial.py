"""Sign in, sign in again and sign out, to see what becomes of the identifier.

Some things are done twice on purpose: a thief has a copy of each cookie there ever was.
"""

import secrets
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from coatcheck.doctor.answer import Answer, Caller
from coatcheck.doctor.browser import Browser
from coatcheck.doctor.guarded_page import GuardedPage
from coatcheck.doctor.session_cookies import session_names

_VISITS = 10
_SIGN_INS = 3  # besides those that the trial itself makes: a password's check costs time

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask for.

    Attributes:
        entry: a page for everybody; by default `/`.
        login, logout: where forms are sent to.
        page: one that looks different to those who are signed in.
        fields: of the login's form.
        cookies: the names of the session's cookies, where they are known.
    """

    entry: str | None = None
    login: str | None = None
    logout: str | None = None
    page: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    as_json: bool = False
    cookies: Collection[str] = ()

    @property
    def start(self) -> str:
        """The page for everybody."""
        return self.entry or "/"


@dataclass(frozen=True, slots=True)
class Signing:
    """What became of identifiers; `None` where nobody can tell, or nothing was tried.

    Attributes:
        login, logout: the status that was answered.
        worked: whether signing in left a cookie that opens a session, as far as one can tell.
        kept_visitors: a visitor's identifier became that of the login.
        took_foreign: an identifier that the application never issued did.
        kept_again: a second sign-in did not change it.
        opens_after_login: the identifier before the second sign-in still opens the session.
        opens_after_logout: a copied cookie still does after the logout.
    """

    login: int
    worked: bool = False
    kept_visitors: bool | None = None
    took_foreign: bool | None = None
    kept_again: bool | None = None
    opens_after_login: bool | None = None
    logout: int | None = None
    opens_after_logout: bool | None = None


@dataclass(slots=True)
class Traffic:
    """What was answered, and the identifiers that were issued.

    Attributes:
        answers: that a session's cookie was set by, or shown to.
        identifiers: by the name of their cookie.
        personal: an answer to somebody who is signed in.
    """

    names: Collection[str] = ()
    answers: list[Answer] = field(default_factory=list[Answer])
    identifiers: dict[str, list[str]] = field(default_factory=dict[str, list[str]], repr=False)
    personal: Answer | None = None
    signing: Signing | None = None

    def note(self, answer: Answer, had: Mapping[str, str] = _NOTHING) -> None:
        """Keep what is told by an answer to a browser that had these cookies."""
        given = {cookie.name for cookie in answer.cookies if not cookie.is_deletion}
        names = session_names(given, self.names)
        if names or session_names((c.name for c in answer.cookies), self.names):
            self.answers.append(answer)
        for name, value in {cookie.name: cookie.value for cookie in answer.cookies}.items():
            if name in names and value != had.get(name):  # the same again is no new identifier
                self.identifiers.setdefault(name, []).append(value)


def observe(caller: Caller, plan: Plan) -> Traffic:
    """Visit the application, and sign in and out if the plan says where.

    Raises:
        CannotRun: the application does not answer.
    """
    traffic = Traffic(plan.cookies)
    for _ in range(_VISITS):
        traffic.note(Browser(caller).get(plan.start))
    if plan.login is not None:
        traffic.signing = _sign(caller, plan, plan.login, traffic)
    return traffic


def _sign(caller: Caller, plan: Plan, login: str, traffic: Traffic) -> Signing:
    browser = Browser(caller)
    traffic.note(browser.get(plan.start))
    browser.get(login)
    before = dict(browser.cookies)
    answer = browser.post(login, plan.fields, form=login, as_json=plan.as_json)
    traffic.note(answer, before)
    names = session_names(browser.cookies, plan.cookies)
    if answer.status >= 400 or not names:
        return Signing(answer.status)
    first = dict(browser.cookies)
    page = GuardedPage(caller, plan.page or plan.start, first)
    if plan.page is not None and not page.is_open(first):
        return Signing(answer.status)
    traffic.personal = page.seen
    planted = {name: first[name] for name in names if first[name] == before.get(name)}
    kept_visitors: bool | None = None
    if session_names(before, plan.cookies):
        kept_visitors = page.is_open(before) is not False if planted else page.is_open(before)
    foreign = {name: _made_up(first[name]) for name in names}
    others = [Browser(caller, foreign), *(Browser(caller) for _ in range(_SIGN_INS))]
    for other in others:
        other.get(plan.start)  # where its token against forgery may come from
    answers = [other.post(login, plan.fields, form=login, as_json=plan.as_json) for other in others]
    took_foreign = page.is_open(foreign) if answers[0].status < 400 else None
    for answer in answers[1:]:
        traffic.note(answer)
    answer = browser.post(login, plan.fields, form=login, as_json=plan.as_json)
    traffic.note(answer, first)
    kept_again = opens_after_login = None
    if answer.status < 400:
        kept_again = all(browser.cookies.get(name) == first[name] for name in names)
        opens_after_login = None if kept_again else page.is_open(first)
    status = opens_after_logout = None
    if plan.logout is not None:
        copied = dict(browser.cookies)
        answer = _sign_out(browser, plan.logout, plan)
        traffic.note(answer, copied)
        status = answer.status
        opens_after_logout = page.is_open(copied) if status < 400 else None
        for other in others:
            _sign_out(other, plan.logout, plan)
    return Signing(
        login=200,
        worked=True,
        kept_visitors=kept_visitors,
        took_foreign=took_foreign,
        kept_again=kept_again,
        opens_after_login=opens_after_login,
        logout=status,
        opens_after_logout=opens_after_logout,
    )


def _sign_out(browser: Browser, logout: str, plan: Plan) -> Answer:
    # The form is on another page: looking at this one may be the logout already.
    answer = browser.post(logout, {}, form=plan.page or plan.start)
    return browser.get(logout) if answer.status == 405 else answer


def _made_up(identifier: str) -> str:
    """Return an identifier of the same shape."""
    classes = [string.digits, string.ascii_lowercase, string.ascii_uppercase]
    if set(identifier) <= set("0123456789abcdef-"):
        classes = ["0123456789abcdef"]
    return "".join(
        next((secrets.choice(kind) for kind in classes if letter in kind), letter)
        for letter in identifier
    )
