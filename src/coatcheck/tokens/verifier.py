"""Checks access tokens: no store, nothing that waits, one signature (RFC 9068 4)."""

import time
from collections.abc import Callable
from datetime import timedelta

from coatcheck.core.claims import Claims
from coatcheck.core.validation import Expected, validate
from coatcheck.errors import ConfigurationError, InvalidToken
from coatcheck.tokens.compact import read
from coatcheck.tokens.issuer_url import check_issuer
from coatcheck.tokens.keys import Keys
from coatcheck.tokens.times import check_time


class Verifier:
    """Tells who presents an access token.

    Args:
        issuer: whose tokens are accepted, as it spells its URL.
        audience: the name of this service, which a token must be for.
        keys: `PublicKeys` of the issuer; its `SigningKeys`, where those are symmetric.
        max_lifetime: tokens that were issued for longer are refused; at most a day.
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
        if type(audience) is not str or not audience:
            raise ConfigurationError("audience", f"{audience!r} is no name of one service")
        if not callable(getattr(keys, "find", None)):
            raise ConfigurationError("keys", f"a {type(keys).__name__} has no keys")
        check_time("leeway", leeway, timedelta(0), timedelta(minutes=1))
        check_time("max_lifetime", max_lifetime, timedelta(seconds=1), timedelta(days=1))
        seconds = max_lifetime.total_seconds(), leeway.total_seconds()
        self._expected = Expected(issuer, audience, *seconds)
        self._keys, self._clock = keys, clock

    def verify(self, token: str) -> Claims:
        """Return what a token says.

        Raises:
            InvalidToken: it is not to be believed; it says why, and nothing of the token.
            StoreUnavailable: the keys are not known for now (`RemoteKeys`).
        """
        if not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidToken("it is no text")
        return validate(read(token, self._keys), self._expected, self._clock())

    def __repr__(self) -> str:
        return f"<Verifier for {self._expected.audience} of {self._expected.issuer}>"
