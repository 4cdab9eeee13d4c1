"""What the library itself answers when a request cannot go on: one body for each reason."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from coatcheck.core.fate import Fate
from coatcheck.errors import (
    CSRFRefused,
    InvalidToken,
    SessionLimitReached,
    StepUpRequired,
    StoreUnavailable,
    Superseded,
    TooManyRequests,
    Unauthenticated,
)
from coatcheck.web.transport import Headers

ERRORS = (
    StoreUnavailable,
    Superseded,
    Unauthenticated,
    CSRFRefused,
    SessionLimitReached,
    TooManyRequests,
)
"""What is answered; unless the application has handlers of its own for these."""


_LOG_IN, _LOG_IN_AGAIN = "please log in first", "session expired, please log in again"


class Answer(NamedTuple):
    """A complete response."""

    status: int
    headers: Headers
    body: bytes


def answer(error: Exception, *, is_visitor: bool = False) -> Answer | None:
    """Return the response to an error of a session, `None` for errors that are the application's.

    All ways of not being signed in any more have one answer, so that it tells nothing about why.

    Args:
        is_visitor: whether the client presented no login at all, which it knows itself.
    """
    if isinstance(error, StepUpRequired):
        return json_answer(401, "please confirm that it is you", facts=dict(_wanted(error)))
    if isinstance(error, InvalidToken):
        return json_answer(401, "the access token is not accepted, please get another one")
    if isinstance(error, Unauthenticated):
        return json_answer(401, _LOG_IN if is_visitor else _LOG_IN_AGAIN)
    if isinstance(error, Superseded):
        return json_answer(409, "the session changed meanwhile, please try again")
    if isinstance(error, SessionLimitReached):
        return json_answer(
            403,
            "you are signed in as often as is allowed: log out somewhere else, then log in again",
        )
    if isinstance(error, TooManyRequests):  # RFC 6585 4
        wait = str(error.retry_after).encode()
        return json_answer(
            429, "too many requests, please try again later", headers=[(b"retry-after", wait)]
        )
    if isinstance(error, StoreUnavailable):
        return json_answer(
            503,
            "sessions are unavailable for the moment, please try again",
            headers=[(b"retry-after", b"2")],
        )
    if isinstance(error, CSRFRefused):
        vary = (b"vary", b"Sec-Fetch-Site, Origin")
        headers = [vary, (b"cache-control", b"no-store")]
        return json_answer(403, "this request was refused", headers=headers)
    return None


def close_code(fate: Fate) -> int:
    """Return with what a WebSocket is closed whose session is over.

    1008, a policy (RFC 6455 7.4.1), or 1013 of IANA's registry: try again later.
    """
    return 1008 if fate is Fate.ENDED else 1013


def challenge(error: Exception, scheme: bytes | None) -> bytes | None:
    """Return the `WWW-Authenticate` of an answer of 401.

    Args:
        scheme: the transport's own challenge. Where there is none, what is wanted of the user is
            said in the scheme `Cookie`, which no browser knows, so that none of them asks.
    """
    if isinstance(error, InvalidToken):
        return b'Bearer error="invalid_token"'
    if not isinstance(error, StepUpRequired):
        return scheme
    said = ", ".join(
        f'{name}="{value}"'
        for name, value in [("error", "insufficient_user_authentication"), *_wanted(error)]
    )
    scheme = scheme or b"Cookie"
    return scheme + (b", " if b" " in scheme else b" ") + said.encode()


def see_other(location: str) -> Answer:
    """Return a redirect to a page."""
    return Answer(303, [(b"location", location.encode()), (b"content-length", b"0")], b"")


def _wanted(error: StepUpRequired) -> list[tuple[str, str | int]]:
    """Return what would be enough, in the words of RFC 9470 3."""
    wanted: list[tuple[str, str | int]] = [("acr_values", f"aal{error.level}")]
    return wanted if error.max_age is None else [*wanted, ("max_age", error.max_age)]


def json_answer(
    status: int,
    error: str,
    *,
    headers: Headers | None = None,
    facts: Mapping[str, str | int] | None = None,
) -> Answer:
    """Return a response that says in JSON what is wrong."""
    body = json.dumps({"error": error, **(facts or {})}).encode()
    all_headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *(headers or ()),
    ]
    return Answer(status, all_headers, body)
