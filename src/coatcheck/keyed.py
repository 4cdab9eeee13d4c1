"""Tokens whose ids only the application can make: what it never issued is known without the store.

The last 7 bytes of an id follow from its first 9, by HMAC-SHA-256 and a key of the application's.
The spelling is the same, so that tokens of before, and servers that do not check yet, go on. The id
is no secret with or without a key; the two secrets beside it stay as random as they are.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from hmac import compare_digest, digest

from coatcheck.core.info import moment
from coatcheck.core.ticket import Ticket
from coatcheck.core.token import Token
from coatcheck.errors import ConfigurationError
from coatcheck.keyring import Keyring
from coatcheck.until import checked

_RANDOM = 12  # characters: 9 bytes; the rest is 10 for 7 bytes, as canonical as any
_CHECK = 7


class KeyedTokens:
    """Makes tokens that are told from forged ones before the store is asked (ASVS 5.0 V2.2.1).

    Args:
        keyring: its newest key makes tokens, all of them know theirs.
        accept_plain_until: until when tokens are accepted that were made without a key, to turn the
            check on without ending sessions.

    Raises:
        ConfigurationError: an argument cannot work.
    """

    def __init__(self, keyring: Keyring, *, accept_plain_until: datetime | None = None) -> None:
        if not isinstance(keyring, Keyring):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("keyring", f"a {type(keyring).__name__} is no Keyring")
        self._keys = tuple(keyring.derive("token").values())
        until = accept_plain_until and checked(
            accept_plain_until, what="session tokens that were made without a key"
        )
        self._plain_until = 0 if until is None else (until - moment(0)) // timedelta(milliseconds=1)

    def mint(
        self, random: Callable[[int], bytes], id: str | None = None, lineage: str | None = None
    ) -> Token:
        """Make a token, as `Token.mint` does; a session keeps its id, also one without a key."""
        token = Token.mint(random, id, lineage)
        if id is None:
            head = token.id[:_RANDOM]
            token.id = head + _check(self._keys[0], head)
        return token

    def issued(self, presented: Token | Ticket, now: int) -> bool:
        """Tell whether the application made the id in a token, or in a ticket."""
        head, check = presented.id[:_RANDOM], presented.id[_RANDOM:]
        for key in self._keys:
            if compare_digest(_check(key, head), check):
                return True
        return now < self._plain_until

    def __repr__(self) -> str:
        return f"<KeyedTokens, {len(self._keys)} keys>"


def _check(key: bytes, text: str) -> str:
    return urlsafe_b64encode(digest(key, text.encode(), "sha256")[:_CHECK]).decode()[:-2]
