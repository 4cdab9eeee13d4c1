"""How a session's dict becomes bytes: the protocol a codec follows."""

from collections.abc import Mapping
from typing import Any, Protocol


class Codec(Protocol):
    """Turns data into bytes and back. Deterministic: equal data in equal order, equal bytes."""

    def encode(self, data: Mapping[str, Any], before: bytes = b"", /) -> bytes:
        """Encode; an empty mapping too.

        Args:
            before: what the data was encoded as; if it still is, nothing needs to be looked at.

        Raises:
            TypeError: a value that would come back neither as itself nor as what it is to JSON; it
                names the key.
        """
        ...

    def count(self, content: bytes, /) -> int:
        """Return how many top-level keys there are in what `encode` made."""
        ...

    def decode(self, content: bytes, /) -> dict[str, Any]:
        """Decode what `encode` made.

        Raises:
            Undecodable: the bytes are anything else.
        """
        ...
