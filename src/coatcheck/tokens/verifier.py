"""Checks access tokens: no store, no network, one signature (RFC 9068 4)."""

import time
from collections.abc import Callable
from datetime import timedelta

from coatcheck.core.claims import Claims, Terms, believe
from coatcheck.errors import ConfigurationError, InvalidToken
from coatcheck.tokens.address import check_issuer
from coatcheck.tokens.compact import read
from coatcheck.tokens.keys import Keys

_MOST_LEEWAY = timedelta(minutes=1)


class Verifier:
    """Tells who presents an access token.

    Args:
        issuer: whose tokens are accepted, as it spells its URL.
        audience: the name of this service, which a token must be for.
        keys: `PublicKeys` of the issuer; its `SigningKeys`, where those are symmetric.
        max_lifetime: tokens that were issued for longer are refused.
        leeway: how far clocks may be apart; at most a minute.
        clock: seconds since 1970.

    Raises:
        ConfigurationError: an argument cannot work; it names the setting.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str,
        keys: Keys,
        max_lifetime: timedelta = timedelta(hours=1),
        leeway: timedelta = timedelta(seconds=30),
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_issuer(issuer)
        if not audience:
            raise ConfigurationError("audience", f"{audience!r} is no name of one service")
        if not timedelta(0) <= leeway <= _MOST_LEEWAY:
            raise ConfigurationError("leeway", f"{leeway} is not 0 to 60 s")
        if max_lifetime < timedelta(seconds=1):
            raise ConfigurationError("max_lifetime", f"{max_lifetime} is below 1 s")
        seconds = max_lifetime.total_seconds(), leeway.total_seconds()
        self._terms = Terms(issuer, audience, *seconds)
        self._keys, self._clock = keys, clock

    def verify(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            InvalidToken: it is not to be believed; it says why, and nothing of the token.
        """
        if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidToken("it is no text")
        return believe(read(token, self._keys), self._terms, self._clock())

    def __repr__(self) -> str:
        return f"<Verifier for {self._terms.audience} of {self._terms.issuer}>"
