"""Whether identifiers can be guessed, judged by several of them."""

import json
import re
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Iterator, Sequence
from math import log2

from coatcheck.doctor.finding import Finding, Severity

NAME = "identifiers"
FEWEST = 4
"""Of fewer identifiers a position may be the same by chance."""
_ENOUGH, _GUESSABLE = 128, 64
_ALPHABETS = (
    ("0123456789", 10),
    ("0123456789abcdef-", 16),
    ("0123456789ABCDEF-", 16),
    ("0123456789abcdefghijklmnopqrstuvwxyz", 36),
)
_SIGNED = re.compile(r"\.?[A-Za-z0-9_=-]+([.:][A-Za-z0-9_=-]+){1,2}")
_UUID1 = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?1[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}")


def check(name: str, values: Sequence[str]) -> Iterator[Finding]:
    """Judge the values of one cookie, which different visitors were given."""
    where, do = f"cookie {name}", "take 32 bytes from the system's generator for each"
    if any(_holds_data(value) for value in values):
        yield Finding(
            Severity.WARNING,
            NAME,
            "holds the session itself: no server can end a copy of it",
            where,
            "keep sessions on the server, and an identifier in the cookie",
            "ASVS 5.0 V7.2.1, V7.4.1",
        )
        return
    if len(values) < FEWEST:
        return
    if len(set(values)) < len(values):
        what = "different visitors were given the same identifier"
        yield Finding(Severity.ERROR, NAME, what, where, do, "ASVS 5.0 V7.2.3")
        return
    if all(_UUID1.fullmatch(value) for value in values):
        what = "is a UUID made of a clock and a machine's address"
        yield Finding(Severity.ERROR, NAME, what, where, do, "ASVS 5.0 V7.2.3, V11.5.1")
        return
    bits = varying_bits(values)
    if bits < _ENOUGH:
        what = f"varies in {bits:.0f} bits at most, where 128 are asked for"
        severity = Severity.ERROR if bits < _GUESSABLE else Severity.WARNING
        yield Finding(severity, NAME, what, where, do, "ASVS 5.0 V7.2.3")


def varying_bits(values: Sequence[str]) -> float:
    """Return how many bits the positions can hold that are not the same in all values."""
    size = next((n for letters, n in _ALPHABETS if set("".join(values)) <= set(letters)), 64)
    length = max(map(len, values))
    padded = [value.rjust(length) for value in values]
    varying = sum(len(set(letters)) > 1 for letters in zip(*padded, strict=True))
    return varying * log2(size)


def _holds_data(value: str) -> bool:
    """Tell whether a value is JSON with a signature, as Flask, Starlette and JWTs have it."""
    if not _SIGNED.fullmatch(value):
        return False
    if value[0] == ".":
        return True  # compressed, as itsdangerous writes it
    try:
        first = re.split("[.:]", value)[0]
        json.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, Error):
        return False
    return True
