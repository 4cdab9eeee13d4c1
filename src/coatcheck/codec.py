"""MessagePack by msgspec, with every type coming back as itself or refused by name.

msgspec turns what MessagePack lacks (sets, dates, dataclasses) into lists, strings and maps without
a word. So a quick look for anything that is not plain JSON comes first; only data that has such
values is rewritten, with extension types, before it is encoded.
"""

# Values of any type are what this is about.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownMemberType=false

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from msgspec import DecodeError, MsgspecError, ValidationError, msgpack

from coatcheck.errors import Undecodable

_SCALARS = frozenset({str, int, float, bool, type(None), bytes})
_KEYS = frozenset({str, int, float, bool, type(None)})

_encode = msgpack.Encoder().encode


def _read_extension(code: int, body: memoryview) -> Any:
    if code not in _READERS:
        raise Undecodable(f"unknown extension type {code}")
    return _READERS[code](body)


_decode = msgpack.Decoder(dict[str, Any], ext_hook=_read_extension).decode
_decode_any = msgpack.Decoder(ext_hook=_read_extension).decode


class MsgspecCodec:
    """The default codec: JSON's types, bytes, and the standard library's everyday values.

    Beyond JSON: `bytes`, `datetime` (with and without offset), `date`, `time`, `timedelta`, `UUID`,
    `Decimal`, `set`, `frozenset`, `tuple`. Dicts keep their order; sets are written sorted.
    """

    def encode(self, data: Mapping[str, Any], /) -> bytes:
        """Encode a session's data.

        Raises:
            TypeError: a value or key of another type, subclasses included; it names the key.
        """
        try:
            if set(map(type, data)) <= {str} and _is_plain(data):
                return _encode(data)
            return _encode({_text_key(key): _pack(value, key) for key, value in data.items()})
        except (OverflowError, UnicodeEncodeError, RecursionError) as error:
            raise TypeError(f"session data cannot be stored: {_culprit(data)}: {error}") from error

    def decode(self, content: bytes, /) -> dict[str, Any]:
        """Decode what `encode` made.

        Raises:
            Undecodable: the bytes are not that.
        """
        try:
            return _decode(content)
        except (MsgspecError, DecodeError, ValidationError, ValueError, TypeError, ArithmeticError,
                RecursionError) as error:  # fmt: skip
            raise Undecodable("session data cannot be decoded") from error


def _is_plain(data: Mapping[Any, Any]) -> bool:
    """Tell whether every value, at any depth, is of a type that MessagePack has itself."""
    for value in data.values():
        kind: type = type(value)
        if kind in _SCALARS:
            continue
        if kind is dict:
            if not (_KEYS.issuperset(map(type, value)) and _is_plain(value)):
                return False
        elif kind is not list or not _is_plain_list(value):
            return False
    return True


def _is_plain_list(items: list[Any]) -> bool:
    if _SCALARS.issuperset(map(type, items)):
        return True
    return _is_plain(dict(enumerate(items)))


def _pack(value: Any, path: str) -> Any:
    """Return `value` with extension types where MessagePack has no type of its own."""
    kind: type = type(value)
    if kind in _SCALARS:
        return value
    if kind is dict:
        return {_scalar_key(k, path): _pack(v, f"{path}.{k}") for k, v in value.items()}
    if kind is list:
        return [_pack(item, path) for item in value]
    if kind not in _WRITERS:
        raise TypeError(
            f"session key {path!r} holds a {kind.__module__}.{kind.__qualname__}, which cannot be "
            "stored: keep plain values (text, numbers, lists, dicts, dates) or an id"
        )
    code, write = _WRITERS[kind]
    return msgpack.Ext(code, write(value, path))


def _text_key(key: Any) -> str:
    if type(key) is not str:
        raise TypeError(f"session key {key!r} is a {type(key).__name__}, it must be a str")
    return key


def _scalar_key(key: Any, path: str) -> Any:
    if type(key) not in _KEYS:
        raise TypeError(f"session key {path!r} has a dict with a {type(key).__name__} as a key")
    return key


def _culprit(data: Mapping[str, Any]) -> str:
    for key, value in data.items():
        try:
            _encode({key: _pack(value, key)})
        except (OverflowError, UnicodeEncodeError, RecursionError):
            return f"key {key!r}" if key.isprintable() else "a key"
    return "unknown key"


def _items(value: Any, path: str) -> bytes:
    return _encode([_pack(item, path) for item in value])


def _sorted_items(value: Any, path: str) -> bytes:
    return _encode(sorted((_pack(item, path) for item in value), key=_encode))


def _iso(value: Any, _: str) -> bytes:
    text = value.isoformat()
    # `fold` tells the two passes of a repeated hour apart; ISO 8601 has no place for it.
    return f"{text}*".encode() if getattr(value, "fold", 0) else text.encode()


def _read_iso(parse: Callable[[str], Any]) -> Callable[[memoryview], Any]:
    def read(body: memoryview) -> Any:
        text = bytes(body).decode()
        return parse(text[:-1]).replace(fold=1) if text.endswith("*") else parse(text)

    return read


def _timedelta(value: Any, _: str) -> bytes:
    return _encode([value.days, value.seconds, value.microseconds])


def _list(body: memoryview) -> list[Any]:
    return cast("list[Any]", _decode_any(body))


_Writer = Callable[[Any, str], bytes]
_WRITERS: dict[type, tuple[int, _Writer]] = {
    dt.datetime: (1, _iso),
    dt.date: (2, _iso),
    dt.time: (3, _iso),
    dt.timedelta: (4, _timedelta),
    UUID: (5, lambda value, _: cast("bytes", value.bytes)),
    Decimal: (6, lambda value, _: str(value).encode()),
    set: (7, _sorted_items),
    frozenset: (8, _sorted_items),
    tuple: (9, _items),
}
_READERS: dict[int, Callable[[memoryview], Any]] = {
    1: _read_iso(dt.datetime.fromisoformat),
    2: _read_iso(dt.date.fromisoformat),
    3: _read_iso(dt.time.fromisoformat),
    4: lambda body: dt.timedelta(*_list(body)),
    5: lambda body: UUID(bytes=bytes(body)),
    6: lambda body: Decimal(bytes(body).decode()),
    7: lambda body: set(_list(body)),
    8: lambda body: frozenset(_list(body)),
    9: lambda body: tuple(_list(body)),
}
