"""What a token says (RFC 9068 2.2), and whether that may be believed now (RFC 7519 4.1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from coatcheck.core.info import SessionInfo
from coatcheck.core.requirement import Requirement
from coatcheck.errors import InvalidToken, StepUpRequired

REGISTERED = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "auth_time", "acr", "act"}
    | {"sid", "lineage"}
)
"""The names that an application gives no meaning to."""
_LEVEL = re.compile(r"aal([1-9][0-9]?)", re.ASCII)
_LAST = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Claims:
    """Who presents an access token, as far as its issuer said.

    Attributes:
        issuer, subject: who it is; a user id means nothing without its issuer.
        id: of the token; tells it from all others (`jti`).
        session: the id of the session it was issued from (`sid`), if there is one.
        lineage: of that session's privileges then.
        client: the application that it was issued to.
        actor: who acts as the subject, while somebody impersonates (RFC 8693 4.1).
        assurance: how well the user was authenticated (`acr`; NIST SP 800-63B-4 AAL 1 to 3); 1
            where that is not said.
        more: what the application put in, such as `roles`.
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
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
    age: int | None = None
    """Milliseconds since the user proved who they are, when the token was checked."""

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

    def require_live(self, session: SessionInfo | None) -> None:
        """Check that the session it was issued from still stands, with the privileges of then.

        Args:
            session: what `Sessions.find` returns for `claims.session`.

        Raises:
            InvalidToken: it does not: it ended, expired, or has other privileges by now.
        """
        if (
            session is None
            or session.id != self.session
            or session.subject != self.subject
            or session.lineage != self.lineage
        ):
            raise InvalidToken("its session is over")


class Terms(NamedTuple):
    """What a token must say to be believed. Times are seconds."""

    issuer: str
    audience: str
    max_lifetime: float
    leeway: float


def believe(said: Mapping[str, Any], terms: Terms, now: float) -> Claims:
    """Return what a token with a good signature says.

    Args:
        now: seconds since 1970.

    Raises:
        InvalidToken: it is not for here, or not for now, or says too little.
    """
    if said.get("iss") != terms.issuer:
        raise InvalidToken("it is of another issuer")
    audience = said.get("aud")
    if terms.audience not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidToken("it is for another audience")
    expires, issued = _time(said, "exp"), _time(said, "iat")
    if now >= expires + terms.leeway:
        raise InvalidToken("it expired")
    if max(issued, _time(said, "nbf") if "nbf" in said else 0) > now + terms.leeway:
        raise InvalidToken("it is not valid yet")
    if expires - issued > terms.max_lifetime:
        raise InvalidToken("it lives longer than is allowed here")
    authenticated = _time(said, "auth_time") if "auth_time" in said else None
    level = _LEVEL.fullmatch(str(said.get("acr")))
    return Claims(
        issuer=terms.issuer,
        subject=_text(said, "sub"),
        id=_text(said, "jti"),
        issued_at=_moment(issued),
        expires_at=_moment(expires),
        session=_text(said, "sid") if "sid" in said else None,
        lineage=_text(said, "lineage") if "lineage" in said else None,
        client=_text(said, "client_id") if "client_id" in said else None,
        actor=_actor(said),
        authenticated_at=None if authenticated is None else _moment(authenticated),
        assurance=int(level[1]) if level else 1,
        more={name: value for name, value in said.items() if name not in REGISTERED},
        age=None if authenticated is None else max(0, int(1000 * (now - authenticated))),
    )


def _time(said: Mapping[str, Any], name: str) -> float:
    """Return a NumericDate (RFC 7519 2)."""
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST:
        raise InvalidToken(f"its {name} is no time")
    return value


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidToken(f"its {name} is no text")
    return value


def _actor(said: Mapping[str, Any]) -> str | None:
    if (act := said.get("act")) is None:
        return None
    if not isinstance(act, dict):
        raise InvalidToken("its act names nobody")
    return _text(cast("dict[str, Any]", act), "sub")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
