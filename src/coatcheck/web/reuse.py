"""A response object that serves several requests gets the headers of all of them."""

from typing import Any, NamedTuple, cast


class _Sent(NamedTuple):
    """That a response was sent before; a copy that a cache makes of it was not."""

    hands_over: bool

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


_SENT = {hands_over: _Sent(hands_over) for hands_over in (False, True)}


def require_new(response: object, *, hands_over: bool) -> None:
    """Refuse a response that serves several requests, if a token of one of them is in it.

    Raises:
        RuntimeError: it does.
    """
    before: _Sent | None = vars(response).get("_coatcheck_sent")
    if before is not None and (before.hands_over or hands_over):
        raise RuntimeError(
            "this response was sent before, and one of its requests gets a session cookie, which "
            "is nobody else's: make a new response for each request"
        )
    cast("Any", response)._coatcheck_sent = _SENT[hands_over]
