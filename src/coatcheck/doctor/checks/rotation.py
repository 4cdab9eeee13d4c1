"""Whether signing in changes the identifier, and ends the one before (R-021)."""

from collections.abc import Iterator
from http import HTTPStatus

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.trial import Signing

NAME = "rotation"
_CLAUSE = "ASVS 5.0 V7.2.4; OWASP Session Management, session fixation"


def check(signing: Signing, login: str, *, as_json: bool) -> Iterator[Finding]:
    """Judge what signing in did.

    Args:
        as_json: whether the login was sent as JSON rather than as a form.
    """
    where = f"POST {login}"

    def found(severity: Severity, what: str, do: str, clause: str = _CLAUSE) -> Finding:
        return Finding(severity, NAME, what, where, do, clause)

    if not signing.worked:
        why = f"it answered {signing.login}" if signing.login >= 400 else "no cookie opens --page"
        sent, try_ = (
            ("JSON", "leave --login-json out if it takes a form")
            if as_json
            else ("a form", "add --login-json to --login-data @login.json if it takes JSON")
        )
        do = f"{try_}; or correct --login-url, --login-data, --page or --cookie"
        if signing.login == HTTPStatus.NOT_FOUND:
            do = "there is no such page: correct --login-url"
        what = f"signing in by {sent} failed, and nothing else was tried: {why}"
        yield found(Severity.ERROR, what, do)
        return
    rotate = "give a new identifier with each sign-in (in coatcheck: session.sign_in)"
    if signing.kept_visitors:
        what = "who knows a visitor's identifier is in the session of whoever signs in with it"
        yield found(Severity.ERROR, what, rotate)
    if signing.took_foreign:
        what = "an identifier that was never issued becomes a session"
        do = "accept only identifiers that the server issued"
        yield found(Severity.ERROR, what, do, "OWASP Session Management, strict; " + _CLAUSE)
    if signing.kept_again:
        yield found(Severity.WARNING, "signing in again does not change the identifier", rotate)
    if signing.opens_after_login:
        what = "the identifier before a second sign-in still opens the session"
        yield found(Severity.ERROR, what, "end the old identifier with the sign-in")
    if signing.took_foreign is None:
        what = "nobody can tell by the page whether an old identifier still opens the session"
        do = "name a page that only those who are signed in see: --page /me"
        yield found(Severity.WARNING, what, do)
