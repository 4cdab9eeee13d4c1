"""Responses with a session's cookie or a user's data stay out of shared caches (RFC 9111)."""

from collections.abc import Iterator

from coatcheck.doctor.answer import Answer
from coatcheck.doctor.finding import Finding, Severity

NAME = "caching"


def check_handed_over(answer: Answer) -> Iterator[Finding]:
    """Judge a response that sets the cookie of a session."""
    said = answer.joined("cache-control")
    if "no-store" in said:
        return
    is_shared = "public" in said or "s-maxage" in said
    yield Finding(
        Severity.ERROR if is_shared else Severity.WARNING,
        NAME,
        "a cache may hand the session's cookie to somebody else"
        if is_shared
        else "sets the session's cookie and does not forbid caches to store it",
        answer.request,
        "send Cache-Control: no-store with it",
        "ASVS 5.0 V14.3.2; RFC 9111 7.3",
    )


def check_personal(answer: Answer) -> Iterator[Finding]:
    """Judge a response that was made for somebody who is signed in."""
    said = answer.joined("cache-control")
    if "no-store" in said or "private" in said:
        return
    yield Finding(
        Severity.WARNING,
        NAME,
        "is made for one user, and a shared cache may keep it",
        answer.request,
        "send Cache-Control: private or no-store",
        "ASVS 5.0 V14.2.2",
    )
