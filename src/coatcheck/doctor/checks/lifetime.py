"""How long a browser keeps the cookie of a session."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.sent_cookie import SentCookie

NAME = "cookie-lifetime"
_DAY = 86_400
_LONGEST = 30 * _DAY


def check(cookie: SentCookie) -> Iterator[Finding]:
    """Judge what `Max-Age` or `Expires` says."""
    seconds = cookie.seconds
    if seconds is None or cookie.is_deletion:
        return
    where, days = f"cookie {cookie.name}", seconds / _DAY
    if seconds > _LONGEST:
        yield Finding(
            Severity.ERROR,
            NAME,
            f"is kept for {days:.0f} days, longer than any session should live",
            where,
            "leave Max-Age and Expires out, or set 30 days at most",
            "NIST SP 800-63B-4 2.1.3; ASVS 5.0 V7.3.2",
        )
    else:
        yield Finding(
            Severity.INFO,
            NAME,
            f"outlives the browser, by up to {_shown(seconds)}",
            where,
            "leave Max-Age and Expires out, unless users ask to stay signed in",
            "NIST SP 800-63B-4 5.1",
        )


def _shown(seconds: int) -> str:
    if seconds >= _DAY:
        return f"{seconds / _DAY:.0f} days"
    return f"{seconds / 3600:.1f} h"
