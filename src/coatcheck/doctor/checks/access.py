"""Who can reach a Redis, and who listens on the way."""

from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity
from coatcheck.doctor.local import is_local
from coatcheck.doctor.redis_facts import RedisFacts

NAME = "store-access"


def check(facts: RedisFacts, where: str) -> Iterator[Finding]:
    """Judge TLS, password and user."""
    is_near = facts.host is None or is_local(facts.host)
    if not facts.is_encrypted and not is_near:
        yield Finding(
            Severity.ERROR,
            NAME,
            "sessions and its password travel unencrypted",
            where,
            "use rediss://, with tls-port on the server",
            "ASVS 5.0 V12.3.1",
        )
    if not facts.has_password:
        yield Finding(
            Severity.WARNING if is_near else Severity.ERROR,
            NAME,
            "whoever reaches it can read and end every session",
            where,
            "give it an ACL user with a password, or requirepass",
            "ASVS 5.0 V13.2.1",
        )
    elif facts.user == "default":
        yield Finding(
            Severity.INFO,
            NAME,
            "the application connects as the user default, which may do everything",
            where,
            "give it an ACL user of its own, for its keys only",
            "ASVS 5.0 V13.2.2",
        )
