"""Whether an application runs with the settings for somebody's own machine, `development=True`."""

from collections.abc import Iterator

from coatcheck.core.token import Token
from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sent_cookie import SentCookie

NAME = "development"
_CLAUSE = "ASVS 5.0 V13.4.2"


def check_setting(is_on: bool) -> Iterator[Finding]:
    """Judge the setting of an application that may be deployed as it is."""
    if is_on:
        yield Finding(
            Severity.WARNING,
            NAME,
            "plain HTTP from this machine gets sessions, in cookies that are not Secure",
            "development=True",
            "leave it out where the application is deployed",
            _CLAUSE,
        )


def is_its_cookie(cookie: SentCookie) -> bool:
    """Tell whether a cookie is one of coatcheck's as `development=True` sends it."""
    return "secure" not in cookie.attributes and Token.parse(cookie.value) is not None


def check_cookie(cookie: SentCookie, origin: str) -> Iterator[Finding]:
    """Tell of one that came from this machine, over plain HTTP: there it is as it should be."""
    yield Finding(
        Severity.INFO,
        NAME,
        f"runs with development=True: cookie {cookie.name} travels over plain HTTP, and is not "
        "Secure",
        origin,
        "nothing on your own machine; leave it out where the application is deployed, and check "
        "that by its https:// URL",
        _CLAUSE,
    )
