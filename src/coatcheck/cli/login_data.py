"""Read the fields of a login's form without having a password on the command line."""

import json
import sys
from pathlib import Path
from typing import Any, cast

from coatcheck.doctor.failure import CannotRun

_WHERE = "--login-data"


def read(given: str) -> dict[str, str]:
    """Return the fields of a JSON object: `@file`, `-` for the standard input, or the text itself.

    Raises:
        CannotRun: it is none; what it holds is not repeated.
    """
    text = given
    if given == "-":
        text = sys.stdin.read()
    elif given.startswith("@"):
        try:
            text = Path(given[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = f"{given[1:]} cannot be read ({type(error).__name__})"
            raise CannotRun(what, _WHERE, "name a file that holds a JSON object") from None
    try:
        data: Any = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        raise CannotRun("is no JSON object", _WHERE, "write the names and values of the fields")
    fields = cast("dict[str, Any]", data)
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in fields.items()
    }
