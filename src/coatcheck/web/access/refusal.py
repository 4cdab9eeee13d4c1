"""What a service answers to who has no good access token, or none that is enough (RFC 6750)."""

from coatcheck.errors import InvalidToken, StepUpRequired, StoreUnavailable, Unauthenticated
from coatcheck.web.answers import Answer, answer, challenge, json_answer

_NONE = "an access token is needed: send Authorization: Bearer, and the token"
_AWAY = "whether the access token is good cannot be told for the moment, please try again"


def refusal(error: Exception) -> tuple[bytes, int, dict[str, str]]:
    """Return body, status and headers of the response to an error of `claims_of` or `Claims`.

    For frameworks that handle what a route raises before a middleware can, such as Flask, where a
    handler may return just that: `app.register_error_handler(Unauthenticated, refusal)`.

    Raises:
        TypeError: the error is another one.
    """
    if (found := reply(error)) is None:
        raise TypeError(f"{type(error).__name__} is no error of an access token")
    headers = {name.decode(): value.decode() for name, value in found.headers}
    return found.body, found.status, headers


def reply(error: Exception) -> Answer | None:
    """Return the response to an error, `None` for errors that are the application's."""
    if isinstance(error, StoreUnavailable):
        return json_answer(503, _AWAY, headers=[(b"retry-after", b"2")])
    is_told = isinstance(error, InvalidToken | StepUpRequired)
    is_missing = isinstance(error, Unauthenticated) and not is_told
    found = json_answer(401, _NONE) if is_missing else answer(error)
    if found is None or found.status != 401:
        return found
    asked = challenge(error, b"Bearer") or b"Bearer"
    more = [(b"www-authenticate", asked), (b"cache-control", b"no-store")]
    return found._replace(headers=[*found.headers, *more])
