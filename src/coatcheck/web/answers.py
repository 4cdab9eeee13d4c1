"""What the library itself answers when a request cannot go on: one body for each reason."""

import json
from typing import NamedTuple

from coatcheck.errors import StoreUnavailable, Superseded, TooManyRequests, Unauthenticated
from coatcheck.web.transport import Headers

ERRORS = (StoreUnavailable, Superseded, Unauthenticated, TooManyRequests)
"""What is answered; unless the application has handlers of its own for these."""


class Answer(NamedTuple):
    """A complete response."""

    status: int
    headers: Headers
    body: bytes


def answer(error: Exception) -> Answer | None:
    """Return the response to an error of a session, `None` for errors that are the application's.

    All ways of not being signed in have one answer, so that it tells nothing about why.
    """
    if isinstance(error, Unauthenticated):
        return _json(401, "session expired, please log in again")
    if isinstance(error, Superseded):
        return _json(409, "the session changed meanwhile, please try again")
    if isinstance(error, TooManyRequests):  # RFC 6585 4
        wait = str(error.retry_after).encode()
        return _json(429, "too many requests, please try again later", (b"retry-after", wait))
    if isinstance(error, StoreUnavailable):
        return _json(
            503, "sessions are unavailable for the moment, please try again", (b"retry-after", b"2")
        )
    return None


def _json(status: int, error: str, *more: tuple[bytes, bytes]) -> Answer:
    body = json.dumps({"error": error}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *more,
    ]
    return Answer(status, headers, body)
