"""Whether stored sessions are encrypted: worth knowing, whichever it is."""

from collections.abc import Iterator
from datetime import datetime

from coatcheck.core.envelope import Envelope
from coatcheck.doctor.finding import Finding, Severity
from coatcheck.sealed import Sealed

NAME = "encryption"


def check(envelope: Envelope, now: datetime) -> Iterator[Finding]:
    """Tell how stored data is protected."""
    inner = getattr(envelope, "inner", envelope)
    if not isinstance(inner, Sealed):
        yield Finding(
            Severity.INFO,
            NAME,
            "sessions are stored as they are: who can read the store can read them",
            "Sessions.envelope",
            "encrypt them by Sealed(keyring) if others can read the store",
            "ASVS 5.0 V14.2.4",
        )
    elif inner.plain_until is not None and now < inner.plain_until:
        yield Finding(
            Severity.WARNING,
            NAME,
            f"records that are not encrypted are accepted until {inner.plain_until:%Y-%m-%d}",
            "Sealed.accept_plain_until",
            "take it out when the last of them is over",
            "ASVS 5.0 V11.3.3",
        )
