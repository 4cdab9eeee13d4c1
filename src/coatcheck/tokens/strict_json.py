"""JSON where a text has one meaning: no member twice, and nothing that is no JSON (RFC 8259)."""

import json
from typing import Any, NoReturn, cast


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
