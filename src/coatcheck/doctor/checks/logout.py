"""Whether a logout ends the session itself, rather than the browser's copy of its cookie."""

from collections.abc import Iterator
from http import HTTPStatus

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.trial import Signing

NAME = "logout"


def check(signing: Signing, logout: str) -> Iterator[Finding]:
    """Judge what signing out did."""
    if signing.logout is None:
        return  # nobody signed out
    where, clause = f"POST {logout}", "ASVS 5.0 V7.4.1"
    if signing.logout >= 400:
        what = f"signing out failed: it answered {signing.logout}"
        is_missing = signing.logout == HTTPStatus.NOT_FOUND
        no_page = "there is no such page: " if is_missing else ""
        do = f"{no_page}correct --logout-url: nothing about it was tried"
        yield Finding(Severity.ERROR, NAME, what, where, do, clause)
    elif signing.opens_after_logout:
        what = "a copy of the cookie still opens the session"
        do = "end the session on the server (in coatcheck: session.end)"
        yield Finding(Severity.ERROR, NAME, what, where, do, clause)
    elif signing.opens_after_logout is None:
        what = "nobody can tell by the page whether a copied cookie still opens the session"
        do = "name a page that only those who are signed in see: --page /me"
        yield Finding(Severity.WARNING, NAME, what, where, do, clause)
