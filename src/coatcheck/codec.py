"""MessagePack, with every type coming back as itself or refused by name.

Only subclasses of text, numbers, lists and dicts come back as what they are to JSON, as they do in
the frameworks' own sessions, on which extensions rely.

ormsgpack encodes, as it stops at every type that MessagePack lacks, subclasses too, so that only
data with such values is looked at in Python, and rewritten or refused. It takes `bytearray` and
`memoryview` without asking, though; they would come back as `bytes`. msgspec decodes, as it takes
nothing but what was asked for, to the last byte.
"""

# Values of any type are what this is about.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import ormsgpack as mp
from msgspec import DecodeError, msgpack

from coatcheck.errors import Undecodable

_SCALARS = frozenset({str, int, float, bool, type(None), bytes})
_KEYS = frozenset({str, int, float, bool, type(None)})
_DEEPEST = 64  # far below what can be read again in a deep stack
_BUFFERS = frozenset({bytearray, memoryview})


def _dict(value: dict[Any, Any]) -> dict[Any, Any]:
    return dict(dict.items(value))


# Of an enum of text its text, of a token of OAuth its dict.
_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (dict, _dict),
    (list, list.copy),
)

_ASKING = (
    mp.OPT_PASSTHROUGH_BIG_INT
    | mp.OPT_PASSTHROUGH_DATACLASS
    | mp.OPT_PASSTHROUGH_DATETIME
    | mp.OPT_PASSTHROUGH_ENUM
    | mp.OPT_PASSTHROUGH_SUBCLASS
    | mp.OPT_PASSTHROUGH_TUPLE
    | mp.OPT_PASSTHROUGH_UUID
)


class MessagePackCodec:
    """The default codec: JSON's types, bytes, and the standard library's everyday values.

    Beyond JSON: `bytes`, `datetime` (with and without offset), `date`, `time`, `timedelta`, `UUID`,
    `Decimal`, `set`, `frozenset`, `tuple`. Dicts keep their order; sets are written sorted. A
    subclass of `str`, `int`, `float`, `list` or `dict` comes back as that.
    """

    def encode(self, data: Mapping[str, Any], before: bytes = b"", /) -> bytes:
        """Encode a session's data.

        Args:
            before: what it was encoded as.

        Raises:
            TypeError: a value or key of another type, or of a subclass of one beyond JSON; it
                names the key.
        """
        try:
            # Without a function to ask: while one runs, another thread could change the data that
            # the encoder is in the middle of. A dict, as it asks about subclasses too.
            content = mp.packb(dict(data), None, _ASKING)
        except TypeError:
            return _encode_checked(data)  # encodes what is ours to encode, or says what is wrong
        if content != before and _may_hold_buffers(content) and _holds_buffers(data.values()):
            return _encode_checked(data)
        return content

    def count(self, content: bytes, /) -> int:
        """Return how many keys encoded data has: MessagePack says so in front."""
        kind = content[0]
        if kind & 0xF0 == 0x80:
            return kind & 0x0F
        return int.from_bytes(content[1:3] if kind == 0xDE else content[1:5])

    def decode(self, content: bytes, /) -> dict[str, Any]:
        """Decode what `encode` made.

        Raises:
            Undecodable: the bytes are not that.
        """
        try:
            return _decode(content)
        except (DecodeError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise Undecodable("session data cannot be decoded") from error


def _encode(data: object) -> bytes:
    """Encode what `_checked` made."""
    return mp.packb(data, None, _ASKING | mp.OPT_NON_STR_KEYS)


def _encode_checked(data: Mapping[Any, Any]) -> bytes:
    try:
        return _encode({_text_key(key): _checked(value, key) for key, value in data.items()})
    except (TypeError, RecursionError) as error:
        if isinstance(error, _Refused):
            raise TypeError(str(error)) from None  # by a name that the application knows
        raise TypeError(f"session data cannot be stored: {_culprit(data)}: {error}") from error


def _read_extension(code: int, body: memoryview) -> Any:
    if code not in _READERS:
        raise Undecodable(f"unknown extension type {code}")
    return _READERS[code](bytes(body))


_decode = msgpack.Decoder(dict[str, Any], ext_hook=_read_extension).decode
_decode_list = msgpack.Decoder(list[Any], ext_hook=_read_extension).decode


def _may_hold_buffers(content: bytes) -> bool:
    """Look for the marks of binary data, which other data may hold by chance.

    The marks are of up to 255 bytes, up to 65,535, and more.
    """
    return (
        b"\xc4" in content
        or (len(content) > 0xFF and b"\xc5" in content)
        or (len(content) > 0xFFFF and b"\xc6" in content)
    )


def _holds_buffers(values: Iterable[Any]) -> bool:
    for value in values:
        kind = type(value)
        if kind is dict:
            if _holds_buffers(value.values()):
                return True
        elif kind is list:
            if _holds_buffers(value):
                return True
        elif kind in _BUFFERS:
            return True
    return False


class _Refused(TypeError):
    """Says by itself which key is to blame."""


def _checked(value: Any, path: str, depth: int = 0) -> Any:
    """Return `value` with extension types where MessagePack has no type of its own.

    Raises:
        TypeError: it holds what cannot be stored; it says where.
    """
    kind: type = type(value)
    if kind in _SCALARS:
        return value
    if depth > _DEEPEST:
        raise _Refused(f"session key {path.partition('.')[0]!r} is nested too deeply")
    if kind is dict:
        inside = depth + 1
        return {_scalar_key(k, path): _checked(v, f"{path}.{k}", inside) for k, v in value.items()}
    if kind is list:
        return [_checked(item, path, depth + 1) for item in value]
    if kind not in _WRITERS:
        if (plain := _plain(kind)) is not None:
            return _checked(plain(value), path, depth)
        raise _Refused(
            f"session key {path!r} holds a {kind.__module__}.{kind.__qualname__}, which cannot be "
            "stored: keep plain values (text, numbers, lists, dicts, dates) or an id"
        )
    code, write = _WRITERS[kind]
    return mp.Ext(code, write(value, path, depth))


def _plain(kind: type) -> Callable[[Any], Any] | None:
    """Return what makes of a subclass of JSON's types what it is to JSON."""
    return next((plain for base, plain in _PLAIN if issubclass(kind, base)), None)


def _a(kind: type) -> str:
    name = kind.__name__
    return f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"


def _text_key(key: Any) -> str:
    if not issubclass(type(key), str):
        raise _Refused(f"session key {key!r} is {_a(type(key))}, it must be a str")
    return str.__str__(key)


def _scalar_key(key: Any, path: str) -> Any:
    if type(key) in _KEYS:
        return key
    if (plain := _plain(type(key))) is not None:
        return plain(key)
    raise _Refused(f"session key {path!r} has a dict with {_a(type(key))} as a key")


def _culprit(data: Mapping[str, Any]) -> str:
    for key, value in data.items():
        try:
            _encode({key: _checked(value, key)})
        except (TypeError, RecursionError):
            return f"key {key!r}" if key.isprintable() else "a key"
    return "unknown key"


def _items(value: Any, path: str, depth: int) -> bytes:
    return _encode([_checked(item, path, depth + 1) for item in value])


def _sorted_items(value: Any, path: str, depth: int) -> bytes:
    return _encode(sorted([_checked(item, path, depth + 1) for item in value], key=_encode))


def _iso(value: Any, *_: object) -> bytes:
    text = value.isoformat()
    # `fold` tells the two passes of a repeated hour apart; ISO 8601 has no place for it.
    return f"{text}*".encode() if getattr(value, "fold", 0) else text.encode()


def _read_iso(parse: Callable[[str], Any]) -> Callable[[bytes], Any]:
    def read(body: bytes) -> Any:
        text = body.decode()
        return parse(text[:-1]).replace(fold=1) if text.endswith("*") else parse(text)

    return read


def _bytes(value: UUID, *_: object) -> bytes:
    return value.bytes


def _text(value: Decimal, *_: object) -> bytes:
    return str(value).encode()


def _timedelta(value: Any, *_: object) -> bytes:
    return _encode([value.days, value.seconds, value.microseconds])


_Writer = Callable[[Any, str, int], bytes]
_WRITERS: dict[type, tuple[int, _Writer]] = {
    dt.datetime: (1, _iso),
    dt.date: (2, _iso),
    dt.time: (3, _iso),
    dt.timedelta: (4, _timedelta),
    UUID: (5, _bytes),
    Decimal: (6, _text),
    set: (7, _sorted_items),
    frozenset: (8, _sorted_items),
    tuple: (9, _items),
}
_READERS: dict[int, Callable[[bytes], Any]] = {
    1: _read_iso(dt.datetime.fromisoformat),
    2: _read_iso(dt.date.fromisoformat),
    3: _read_iso(dt.time.fromisoformat),
    4: lambda body: dt.timedelta(*_decode_list(body)),
    5: lambda body: UUID(bytes=body),
    6: lambda body: Decimal(body.decode()),
    7: lambda body: set(_decode_list(body)),
    8: lambda body: frozenset(_decode_list(body)),
    9: lambda body: tuple(_decode_list(body)),
}
