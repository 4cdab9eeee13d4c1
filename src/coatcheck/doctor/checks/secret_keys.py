"""Whether the secrets of frameworks can be guessed (R-017); a Keyring refuses such keys itself."""

import re
from collections.abc import Iterator

from coatcheck.doctor.finding import Finding, Severity

NAME = "secret-keys"
_SHORTEST = 32
_FEWEST_DIFFERENT = 10
_PUBLISHED = re.compile(
    r"django-insecure|change[-_ ]?(me|this)|secret|password|example|insecure|default|_5#y2L",
    re.IGNORECASE,
)
"""What stands in tutorials; `_5#y2L` begins the keys that Flask's have."""


def check(setting: str, secret: object) -> Iterator[Finding]:
    """Judge a secret; it is shown nowhere."""
    text = secret.decode("latin-1") if isinstance(secret, bytes) else str(secret)
    problem = _problem(text)
    if problem is not None:
        yield Finding(
            Severity.ERROR,
            NAME,
            problem,
            setting,
            "set one made by: python -c 'import secrets; print(secrets.token_urlsafe(48))'",
            "ASVS 5.0 V13.3.1",
        )


def _problem(text: str) -> str | None:
    if not text:
        return "is empty"
    if _PUBLISHED.search(text):
        return "looks like a default, or an example out of a documentation"
    if len(text) < _SHORTEST:
        return f"is {len(text)} characters long, where {_SHORTEST} are the least"
    if len(set(text)) < _FEWEST_DIFFERENT:
        return "is too regular to be random"
    return None
