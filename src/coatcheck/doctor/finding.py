"""What a check has to say."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def weight(self) -> int:
        """The more it matters the higher."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing. It never holds a secret.

    Attributes:
        check: the name of the check.
        what: what is the case.
        where: the cookie, the request, the setting or the store.
        do: what to do about it.
        clause: the source that asks for it.
    """

    severity: Severity
    check: str
    what: str
    where: str
    do: str
    clause: str = ""
