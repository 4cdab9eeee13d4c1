"""Whether what a signed token says may be believed now (RFC 7519 7.2, RFC 9068 4)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from coatcheck.core.claims import REGISTERED, Claims
from coatcheck.errors import InvalidToken

_LEVEL = re.compile(r"aal([1-9][0-9]?)", re.ASCII)
_LAST = 253_402_300_799


class Expected(NamedTuple):
    """What a token must say. Times are seconds."""

    issuer: str
    audience: str
    max_lifetime: float
    leeway: float


def validate(said: Mapping[str, Any], expected: Expected, now: float) -> Claims:
    """Return what a token with a good signature says.

    Args:
        now: seconds since 1970.

    Raises:
        InvalidToken: it is not for here, or not for now, or says too little.
    """
    if said.get("iss") != expected.issuer:
        raise InvalidToken(f"it is not of {expected.issuer!r}")
    audience = said.get("aud")
    if expected.audience not in (audience if isinstance(audience, list) else [audience]):
        raise InvalidToken(f"it is not for {expected.audience!r}")
    expires, issued = _time(said, "exp"), _time(said, "iat")
    if now >= expires + expected.leeway:
        raise InvalidToken("it expired")
    if max(issued, _time(said, "nbf") if "nbf" in said else 0) > now + expected.leeway:
        raise InvalidToken("it is not valid yet")
    if expires < issued:
        raise InvalidToken("it ends before it begins")
    if expires - issued > expected.max_lifetime:
        raise InvalidToken("it lives longer than is allowed here")
    authenticated = _time(said, "auth_time") if "auth_time" in said else None
    if authenticated is not None and authenticated > now + expected.leeway:
        raise InvalidToken("its auth_time is to come")
    if "cnf" in said:  # who presents it would have to prove that (RFC 7800 3.1)
        raise InvalidToken("it is bound to a key of its client, which is not asked for here")
    level = _LEVEL.fullmatch(str(said.get("acr")))
    return Claims(
        issuer=expected.issuer,
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
        age=None if authenticated is None else max(0, int(1000 * (now - authenticated))),
        extra={name: value for name, value in said.items() if name not in REGISTERED},
    )


def _time(said: Mapping[str, Any], name: str) -> float:
    """Return a NumericDate (RFC 7519 2)."""
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST:
        raise InvalidToken(f"its {name} is no time")
    return value


def _text(said: Mapping[str, Any], name: str, shown: str = "") -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidToken(f"its {shown or name} is no text")
    return value


def _actor(said: Mapping[str, Any]) -> str | None:
    if (act := said.get("act")) is None:
        return None
    if not isinstance(act, dict):
        raise InvalidToken("its act is no object")
    return _text(cast("dict[str, Any]", act), "sub", "act.sub")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
