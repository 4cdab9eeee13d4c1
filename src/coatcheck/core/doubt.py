"""A session whose token is good, presented by a client that its user may not be at."""

from dataclasses import dataclass, field
from typing import Any

from coatcheck.core.binding import Drift
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
