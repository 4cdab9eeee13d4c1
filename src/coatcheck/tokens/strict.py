"""Base64url and JSON, where a text has one meaning and a meaning one text (RFC 7515 2, 4)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NoReturn, cast


def encode(raw: bytes) -> str:
    """Return bytes as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url without padding.

    Raises:
        ValueError: it is spelled in another way than `encode` does.
    """
    raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(raw) != text:
        raise ValueError("this is not canonical base64url")
    return raw


def members(raw: bytes) -> dict[str, Any]:
    """Return the members of a JSON object.

    Raises:
        ValueError: it is none, names a member twice, or holds what is no JSON.
    """
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("this is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("this is no JSON object")
    return cast("dict[str, Any]", value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
