"""What a request presented to be let in."""

from typing import NamedTuple

from coatcheck.core.outcome import Holder
from coatcheck.core.standing import Standing
from coatcheck.core.token import Token


class Presented(NamedTuple):
    """One token, or what stood in its place.

    Attributes:
        token: the token, if it was well-formed.
        holder: in whose place it came.
        standing: where there is no token, why: `MALFORMED`, `AMBIGUOUS` or `UNREAD`.
    """

    token: Token | None
    holder: Holder = Holder.SIGNED_IN
    standing: Standing = Standing.MALFORMED
