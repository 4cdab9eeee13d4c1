"""Find what has no place in a session: passwords, tokens, private keys, numbers of payment cards.

A guess, made to be wrong rarely: by names that mean a secret and hold what looks like one, and by
values that are spelled like nothing else. Each pattern takes time linear in the text.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from math import log2
from typing import Any, NamedTuple, cast

from coatcheck.core.intents import LIBRARY_KEYS
from coatcheck.core.token import LENGTH, Token


class Secrets(StrEnum):
    """What becomes of a session in which a secret is about to be stored."""

    OFF = "off"
    """Nobody looks."""
    REPORT = "report"
    """It is stored; the key is told to the log and as an event, once."""
    REFUSE = "refuse"
    """Nothing is stored, and the commit raises `SecretInSession`."""


class Found(NamedTuple):
    """A secret, never itself.

    Attributes:
        path: where it is, such as `profile.token` or `cards[0]`.
        kind: what it looks like, such as `a password`.
    """

    path: str
    kind: str


LIMIT = 16
"""How many are found at most."""

_PASSWORDS = {"password", "passwords", "passwd", "passphrase", "passphrases", "pwd"}
_CARD_CODES = {"cvv", "cvc", "cvn"}
_TOKENS = {
    "token", "tokens", "secret", "secrets", "credential", "credentials", "jwt", "bearer",
    "authorization", "apikey", "apikeys", "apitoken", "accesskey", "accesstoken", "authtoken",
    "idtoken", "privatekey", "refreshtoken", "secretkey",
}  # fmt: skip
_KEYS = {"access", "api", "auth", "encryption", "private", "secret", "signing"}
_AGAIN = {"again", "confirm", "confirmation", "current", "new", "old", "plain", "raw", "repeat"}

# With one of these a name is about something else: a flow's state, or what is to be done.
_HARMLESS = {
    "cart", "challenge", "change", "changed", "continuation", "csrf", "cursor", "forgot", "form",
    "has", "hide", "idempotency", "is", "must", "next", "nonce", "page", "public", "require",
    "reset", "show", "state", "states", "verifier", "xsrf",
}  # fmt: skip
_ANSWERS = {
    "changed", "expired", "false", "no", "none", "null", "ok", "off", "on", "required", "sent",
    "true", "weak", "yes",
}  # fmt: skip

# What frameworks keep in sessions: Django and its messages, Flask's flashes, Flask-Login, Authlib.
_FRAMEWORKS = {
    "_auth_user_backend", "_auth_user_hash", "_auth_user_id", "_csrftoken", "_flashes", "_fresh",
    "_id", "_messages", "_password_reset_token", "_remember", "_user_id", "csrf_token",
}  # fmt: skip
_FRAMEWORK_PREFIXES = (LIBRARY_KEYS, "_state_")

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_RANDOM = re.compile(r"[A-Za-z0-9+/=_.~:-]{16,}")
_SHORTEST = 14  # of all that is told by its value

# By what to look for first, as that is fast: most texts hold none of them.
_SPELLINGS = tuple(
    (marks, re.compile(rf"(?<![A-Za-z0-9_])(?:{pattern})"), kind)
    for marks, pattern, kind in (
        (("PRIVATE KEY",), r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY", "a private key"),
        (("AKIA", "ASIA"), r"A[KS]IA[A-Z2-7]{16}(?![A-Za-z0-9])", "an AWS access key"),
        (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36}", "a GitHub token"),
        (("github_pat_",), r"github_pat_[A-Za-z0-9_]{60}", "a GitHub token"),
        (("glpat-",), r"glpat-[A-Za-z0-9_-]{20}", "a GitLab token"),
        (("xox",), r"xox[abeoprs]-[A-Za-z0-9-]{20}", "a Slack token"),
        (("k_live_", "k_test_"), r"[rs]k_(?:live|test)_[A-Za-z0-9]{16}", "a Stripe key"),
        (("AIza",), r"AIza[A-Za-z0-9_-]{35}", "a Google API key"),
        (("npm_",), r"npm_[A-Za-z0-9]{36}", "an npm token"),
        (("pypi-AgE",), r"pypi-AgE[A-Za-z0-9_-]{50}", "a PyPI token"),
    )
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{10,1024})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]")
_URL = re.compile(r"://[^\s/:@?#]{0,256}:[^\s/@?#]{1,256}@")
# It begins with a digit, as a search for that is fast.
_CARD = re.compile(
    r"\d(?<![\w.+-].)(?:\d{13,15}|\d{18}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}|\d{3}([ -])\d{6}\2\d{4,5})"
    r"(?![\w-]|\.\d)"
)
# By length, what the numbers of the great schemes begin with (ISO/IEC 7812-1); rarer lengths of
# theirs are those of barcodes and ids too.
_ISSUERS = {
    14: re.compile("3(?:0[0-5]|[68])"),  # Diners Club
    15: re.compile("3[47]"),  # American Express
    16: re.compile(
        "4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"  # Visa, Mastercard
        "|6(?:011|4[4-9]|5|2)|35(?:2[89]|[3-8])"  # Discover, UnionPay, JCB
    ),
    19: re.compile("62"),  # UnionPay
}


def find_secrets(data: Mapping[str, Any], allowed: Collection[str] = ()) -> list[Found]:
    """Return what looks like a secret in a session's data, at most `LIMIT`.

    Args:
        allowed: top-level keys not to look at.
    """
    found: list[Found] = []
    for key, value in data.items():
        if key in allowed or key in _FRAMEWORKS or key.startswith(_FRAMEWORK_PREFIXES):
            continue
        for each in _search(key, value):
            found.append(each)
            if len(found) == LIMIT:
                return found
    return found


_Path = tuple["_Path | None", str | int]
"""A key or an index, and where it is."""


def _search(key: str, value: object) -> Iterator[Found]:
    waiting: list[tuple[_Path, str, object]] = [((None, key), key, value)]
    while waiting:
        path, name, value = waiting.pop()
        if isinstance(value, dict):
            inside = cast("dict[object, object]", value).items()
            for inner, each in ((str(key), each) for key, each in inside):
                if kind := _by_value(inner):
                    yield Found(_shown((path, inner)), kind)
                waiting.append(((path, inner), inner, each))
        elif isinstance(value, list | tuple | set | frozenset):
            items = enumerate(cast("list[object]", value))
            waiting += [((path, index), name, each) for index, each in items]
        elif kind := _kind(name, value):
            yield Found(_shown(path), kind)


def _kind(name: str, value: object) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 100 <= value < 10**19 else ""
        return _by_value(value) or (_by_code(value) if _meant(name) == "code" else None)
    return _by_value(value) or _by_name(name, value) if isinstance(value, str) else None


def _by_value(text: str) -> str | None:
    if len(text) < _SHORTEST:
        return None
    for marks, pattern, kind in _SPELLINGS:
        for mark in marks:
            if mark in text and pattern.search(text):
                return kind
    if "eyJ" in text and any(map(_is_jwt_header, _JWT.findall(text))):
        return "a JSON Web Token"
    if "://" in text and _URL.search(text):
        return "a password in a URL"
    if len(text) == LENGTH and Token.parse(text):
        return "the token of a session"
    if any(_is_card(number[0]) for number in _CARD.finditer(text, 0, 4096)):
        return "the number of a payment card"
    return None


def _is_jwt_header(part: str) -> bool:
    """Tell it from other signed texts, which frameworks make (RFC 7515 4.1.1 wants `alg`)."""
    try:
        return b'"alg"' in urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False


def _is_card(number: str) -> bool:
    digits = number.replace(" ", "").replace("-", "")
    issuers = _ISSUERS.get(len(digits))
    return issuers is not None and issuers.match(digits) is not None and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _by_name(name: str, text: str) -> str | None:
    meant = _meant(name)
    if meant == "password":
        is_one = any(map(str.isalnum, text)) and text.lower() not in _ANSWERS
        return "a password" if is_one else None
    if meant == "token":
        return "a token or key" if _is_random(text) else None
    return _by_code(text) if meant == "code" else None


def _by_code(text: str) -> str | None:
    is_code = len(text) in (3, 4) and text.isdecimal()
    return "the security code of a payment card" if is_code else None


@lru_cache(maxsize=1024)
def _meant(name: str) -> str | None:
    """Return what a key is for by its name: a `password`, a `token`, a card's `code`."""
    words = [word.lower() for word in _WORDS.findall(name[:64])]
    if not words or not _HARMLESS.isdisjoint(words):
        return None
    last = words[-1]
    if last in _PASSWORDS or (last in _AGAIN and not _PASSWORDS.isdisjoint(words)):
        return "password"
    if last in _TOKENS or (last in ("key", "keys") and not _KEYS.isdisjoint(words)):
        return "token"
    return "code" if last in _CARD_CODES else None


def _is_random(text: str) -> bool:
    """Tell whether a text is long, without blanks, and as varied as chance makes it."""
    if not _RANDOM.fullmatch(text):
        return False
    has_digit = any(map(str.isdigit, text))
    if not has_digit and (len(text) < 24 or text.lower() == text or text.upper() == text):
        return False  # words
    head = text[:256]
    shares = [head.count(character) / len(head) for character in set(head)]
    return -sum(share * log2(share) for share in shares) >= 3


def _shown(path: _Path) -> str:
    above, key = path
    if isinstance(key, int):
        return f"{_shown(above) if above else ''}[{key}]"
    # A key may be a secret itself.
    is_plain = len(key) <= 40 and key.isprintable() and key.isascii() and not _by_value(key)
    shown = key if is_plain and not _is_random(key) else "<a key>"
    return f"{_shown(above)}.{shown}" if above else shown
