"""Who presents an access token, as far as its issuer said (RFC 7519 4, RFC 9068 2.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NoReturn

from coatcheck.core import base64url
from coatcheck.core.record import Record
from coatcheck.core.requirement import Requirement
from coatcheck.errors import ConfigurationError, StepUpRequired

REGISTERED = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "auth_time", "acr", "amr", "act"}
    | {"azp", "cnf", "nonce", "scope", "sid", "lineage"}
)
"""The names of claims that an application gives no meaning to."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says.

    Attributes:
        issuer, subject: who it is; a user id means nothing without its issuer.
        id: of the token; tells it from all others (`jti`).
        session: the id of the session it was issued from (`sid`), if there is one.
        lineage: names the privileges that the session had then.
        client: the application that it was issued to (`client_id`).
        actor: who acts as the subject, while somebody impersonates (RFC 8693 4.1).
        authenticated_at: when the user last proved who they are (`auth_time`).
        assurance: how well they did (`acr`; NIST SP 800-63B-4 AAL 1 to 3); 1 where that is not
            said.
        age: milliseconds from then until the token was checked; on a WebSocket it grows old.
        extra: what the application put in, such as `roles` (RFC 7519 4.3).
    """

    issuer: str
    subject: str
    id: str
    issued_at: datetime
    expires_at: datetime
    session: str | None = None
    lineage: str | None = None
    client: str | None = None
    actor: str | None = None
    authenticated_at: datetime | None = None
    assurance: int = 1
    age: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: object) -> NoReturn:
        """Keep a web framework from filling one in from what a request says about itself.

        Raises:
            ConfigurationError: always; FastAPI asks when a route is defined.
        """
        raise ConfigurationError("claims", "come from a token: ask by CurrentClaims, alone")

    def require(self, *, level: int = 1, max_age: timedelta | str | None = None) -> str:
        """Return the user id, if the user was authenticated well enough, and recently enough.

        Raises:
            StepUpRequired: that is not so. Left alone, it becomes a 401 that says what would be
                (RFC 9470 3); the client gets a better token from a session that stepped up.
            ConfigurationError: `level` or `max_age` is none.
        """
        requirement = Requirement(level, max_age)
        if not requirement.is_met(self.assurance, self.age):
            raise StepUpRequired(level, requirement.seconds)
        return self.subject

    def are_of(self, record: Record) -> bool:
        """Tell whether a stored session is the one, with the privileges it had then."""
        return (
            record.id == self.session
            and record.subject == self.subject
            and lineage_of(record) == self.lineage
        )


def lineage_of(record: Record) -> str:
    """Return a name for the privileges of a session: not what the store holds, and no secret."""
    return base64url.encode(sha256(record.lineage_digest).digest()[:12])
