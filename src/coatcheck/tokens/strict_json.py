"""JSON where a text has one meaning: no member twice, and nothing that is no JSON (RFC 8259)."""

import json
from typing import Any, NoReturn, cast


def members(raw: bytes) -> dict[str, Any]:
    """Return the members of a JSON object.

    Raises:
        ValueError: it is none, names a member twice, or holds what is no JSON.
    """
    value, problem = None, ""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        problem = "this is nested too deeply"
    except UnicodeDecodeError:
        problem = "this is no UTF-8"
    except json.JSONDecodeError as error:  # it holds the text, which may be a key: it stays here
        problem = f"this is no JSON: {error.msg}"
    if problem:
        raise ValueError(problem)
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
