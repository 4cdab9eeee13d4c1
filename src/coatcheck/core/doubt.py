"""A session whose token is good, presented by a client that its user may not be at."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from coatcheck.core.binding import Drift
from coatcheck.core.merge import Data, merge
from coatcheck.core.record import Record
from coatcheck.core.token import Token


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a session is withheld, and what is: nothing of it is shown until its user is proved.

    Attributes:
        subject: whom to ask for a proof. It is a claim, and lets nobody in.
        drift: what is not as it was.
        record, token, data: what is withheld. For adapters.
    """

    subject: str
    drift: Drift
    record: Record = field(repr=False)
    token: Token = field(repr=False)
    data: dict[str, Any] = field(repr=False)


class Visitor(NamedTuple):
    """The visitor's session that stands beside a withheld one.

    Attributes:
        content: its data, encoded, as far as it is believed.
        token: that opened it; a secret.
    """

    record: Record
    content: bytes
    token: Token | None

    def __repr__(self) -> str:
        return f"<Visitor {self.record!r}>"


def joined(withheld: Data, visitor: Data) -> Data:
    """Return what was withheld, with what its user put in as a visitor.

    Where both have something, what was withheld stays: a visitor's session can be planted.
    """
    return merge({}, withheld, visitor, {}, [])
