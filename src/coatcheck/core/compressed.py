"""An envelope that compresses what is large, around one that checks or seals it.

Whatever it does not compress it hands on as it is, so it costs nothing below its size, and reads
what was stored without it. What it does compress begins with a byte that begins no MessagePack.
"""

import zlib

from coatcheck.core.envelope import Checked, Envelope, is_envelope
from coatcheck.errors import ConfigurationError, Undecodable

LIMIT = 1_048_576
"""Bytes that a payload may expand to. Larger data is stored uncompressed, so that it comes back."""
_MARK = b"\xc1"  # "never used" in MessagePack
_DEFLATED, _AS_IS = _MARK + b"z", _MARK + b"s"
_RAW = -15  # RFC 1951, without a checksum: the inner envelope has one
_FASTEST = 1


class Compressed:
    """An envelope that compresses data above a size, by DEFLATE.

    Args:
        inner: what checks or seals the compressed data.
        above: bytes of encoded data up to which it is stored as it is.

    Raises:
        ConfigurationError: `inner` is no envelope, or `above` no size.
    """

    def __init__(self, inner: Envelope | None = None, *, above: int = 1_024) -> None:
        self._inner = Checked() if inner is None else inner
        if not is_envelope(self._inner):
            raise ConfigurationError("inner", f"{inner!r} is no envelope")
        if type(above) is not int or above < 0:
            raise ConfigurationError("above", f"{above!r} is no size")
        self._above = above

    @property
    def inner(self) -> Envelope:
        """What checks or seals."""
        return self._inner

    def wrap(self, content: bytes, about: bytes, /) -> bytes:
        """Compress, where that makes it smaller, and hand on to the inner envelope."""
        if self._above < len(content) <= LIMIT:
            deflated = _DEFLATED + zlib.compress(content, _FASTEST, _RAW)
            if len(deflated) < len(content):
                return self._inner.wrap(deflated, about)
        if content[:1] == _MARK:
            content = _AS_IS + content
        return self._inner.wrap(content, about)

    def unwrap(self, payload: bytes, about: bytes, /) -> bytes:
        """Let the inner envelope unwrap, and expand what was compressed."""
        content = self._inner.unwrap(payload, about)
        if content[:1] != _MARK:
            return content
        kind, content = content[:2], content[2:]
        if kind == _DEFLATED:
            return _inflated(content)
        if kind == _AS_IS:
            return content
        raise Undecodable("data is compressed in an unknown way")

    def key_id(self, payload: bytes, /) -> str | None:
        """Ask the inner envelope."""
        return self._inner.key_id(payload)


def _inflated(deflated: bytes) -> bytes:
    stream = zlib.decompressobj(_RAW)
    try:
        content = stream.decompress(deflated, LIMIT + 1)
    except zlib.error:
        raise Undecodable("compressed data is damaged") from None
    if len(content) > LIMIT:
        raise Undecodable(f"compressed data expands to more than {LIMIT} bytes")
    if not stream.eof or stream.unused_data:
        raise Undecodable("compressed data is cut off, or followed by more")
    return content
