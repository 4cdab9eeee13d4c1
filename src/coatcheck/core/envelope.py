"""What surrounds the encoded data in a record: format, key id, and a check that it belongs there.

The check is a CRC over the record's own fields and the content: it finds damage and mix-ups, not
forgery. `Sealed`, which encrypts, takes its place where the store itself is not trusted.
"""

from typing import Protocol
from zlib import crc32

from coatcheck.errors import Undecodable

_PLAIN = b"\x01\x00"  # format 1, key 0: no key


class Envelope(Protocol):
    """Wraps encoded data for one record, and unwraps it for that record only."""

    def wrap(self, content: bytes, about: bytes, /) -> bytes:
        """Return the payload that holds `content` and is bound to `about`."""
        ...

    def unwrap(self, payload: bytes, about: bytes, /) -> bytes:
        """Return the content.

        Raises:
            Undecodable: damaged, of another format, or bound to something else.
        """
        ...

    def key_id(self, payload: bytes, /) -> str | None:
        """Return the id of the key that a payload names, `None` for one without; never a secret."""
        ...


def is_envelope(value: object) -> bool:
    """Tell whether a value is an envelope, and not the class of one."""
    methods = (getattr(value, name, None) for name in ("wrap", "unwrap", "key_id"))
    return not isinstance(value, type) and all(map(callable, methods))


class Checked:
    """The default envelope: a format byte, a key id of zero, a CRC-32, the content as it is."""

    def wrap(self, content: bytes, about: bytes, /) -> bytes:
        """Return header and content."""
        return _PLAIN + crc32(content, crc32(about)).to_bytes(4) + content

    def unwrap(self, payload: bytes, about: bytes, /) -> bytes:
        """Check the header and return the content."""
        if payload[:2] != _PLAIN:
            raise Undecodable("payload is of an unknown format")
        content = payload[6:]
        if crc32(content, crc32(about)).to_bytes(4) != payload[2:6]:
            raise Undecodable("payload is damaged or belongs to another record")
        return content

    def key_id(self, payload: bytes, /) -> str | None:
        """Return `None`: there is no key."""
        return None
