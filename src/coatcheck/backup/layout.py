"""How a file of sessions is built: a header, sealed pages, and a sealed end that counts them.

The header is a name, a version and 16 random bytes. What follows is in frames: a letter, a length
in 4 bytes, and what `Sealed` makes, bound to the header, the letter and the place in the file. So
no page can be changed, left out, put elsewhere or come from another file, and no end is another's.
"""

import os
import struct

import msgspec

from coatcheck.sealed import Sealed
from coatcheck.stores.packed import pack, page_of
from coatcheck.stores.protocol import Page

NAME, VERSION = b"coatcheck sessions ", b"1\n"
HEADER_LENGTH = len(NAME) + len(VERSION) + 16
FRAME = struct.Struct(">cI")
PAGE, END = b"P", b"E"
MOST = 1 << 30
"""Bytes that one frame may hold."""

_Packed = tuple[str | None, list[str], dict[str, bytes]]
_encode = msgspec.msgpack.Encoder().encode
_decode_page = msgspec.msgpack.Decoder(_Packed).decode
_decode_end = msgspec.msgpack.Decoder(int).decode


class SealedPages(Sealed):
    """Seals by keys of the keyring that are derived for this and for nothing else."""

    _purpose = "exported sessions"

    def knows(self, key_id: str) -> bool:
        """Tell whether a key is in the keyring."""
        return bytes.fromhex(key_id) in self._keys


def new_header() -> bytes:
    """Return the beginning of a new file."""
    return NAME + VERSION + os.urandom(16)


def place(header: bytes, kind: bytes, number: int) -> bytes:
    """Return what a frame is bound to: its file, its kind, and how many pages are before it."""
    return header + kind + struct.pack(">Q", number)


def pack_page(page: Page) -> bytes:
    """Return a page as bytes: where the next one starts, what was unreadable, and the records."""
    packed = {record.id: pack(record) for record in page.records}
    return _encode((page.next, list(page.unreadable), packed))


def unpack_page(content: bytes) -> tuple[Page, bool]:
    """Return the page, and whether all of its records could be read."""
    next, unreadable, packed = _decode_page(content)
    page = page_of(packed, next)
    return page._replace(unreadable=unreadable), len(page.records) == len(packed)


def pack_end(sessions: int) -> bytes:
    """Return how many sessions the pages before hold, as bytes."""
    return _encode(sessions)


def unpack_end(content: bytes) -> int:
    """Return how many sessions the pages before hold."""
    return _decode_end(content)
