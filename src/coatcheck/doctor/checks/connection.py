"""Sessions travel over HTTPS only (R-057)."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.local import is_local

NAME = "connection"


def check(origin: str, host: str, *, is_encrypted: bool) -> Iterator[Finding]:
    """Judge the scheme of a URL."""
    if is_encrypted:
        return
    yield Finding(
        Severity.WARNING if is_local(host) else Severity.ERROR,
        NAME,
        "is plain HTTP: everybody on the way can take the session over",
        origin,
        "check the application by its https:// URL; redirect http:// to that",
        "ASVS 5.0 V12.2.1; NIST SP 800-63B-4 5.1",
    )
