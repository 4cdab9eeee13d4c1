"""Access tokens for who has a session: short-lived, signed, and checked without the store."""

import os
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

from coatcheck.core import base64url
from coatcheck.core.claims import REGISTERED
from coatcheck.core.issuance import Terms, claims_for, lifetime_of
from coatcheck.core.session import Session
from coatcheck.errors import ConfigurationError, Unauthenticated
from coatcheck.tokens.compact import LONGEST, write
from coatcheck.tokens.issuer_url import check_issuer
from coatcheck.tokens.keys import SigningKeys
from coatcheck.tokens.times import check_time

_LONGEST_LIFE = timedelta(hours=24)


class AccessToken:
    """A token that was issued. A secret, until it is over.

    Attributes:
        lifetime: seconds until then.
    """

    __slots__ = ("_text", "lifetime")

    def __init__(self, text: str, lifetime: int) -> None:
        self._text, self.lifetime = text, lifetime

    def reveal(self) -> str:
        """Return the token itself."""
        return self._text

    def response(self) -> dict[str, str | int]:
        """Return the body of the answer to who asked for it (RFC 6749 5.1)."""
        return {"access_token": self._text, "token_type": "Bearer", "expires_in": self.lifetime}

    def __repr__(self) -> str:
        return f"<AccessToken for {self.lifetime} s>"


class Issuer:
    """Issues access tokens (RFC 9068).

    Args:
        url: the name of who issues, an `https://` URL (`iss`).
        keys: the first signs.
        audience: the services that shall accept the tokens, by the names they call themselves.
        lifetime: of a token: 1 s to 24 h, and no longer than its session's. A service without the
            store accepts it for so long, even when the session has ended; one that is to accept
            more than an hour needs that as its `Verifier.max_lifetime`.
        claims: the names of what an application may add, such as `roles`.
        client_id: the name of the application that has the sessions.
        clock: seconds since 1970.

    Raises:
        ConfigurationError: an argument cannot work; it names the setting.
    """

    def __init__(
        self,
        url: str,
        keys: SigningKeys,
        *,
        audience: str | Collection[str],
        lifetime: timedelta = timedelta(minutes=5),
        claims: Collection[str] = (),
        client_id: str = "web",
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_issuer(url)
        audiences = [audience] if isinstance(audience, str) else list(audience)
        if not audiences or not all(audiences):
            raise ConfigurationError("audience", "names no service")
        if not isinstance(keys, SigningKeys):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("keys", f"a {type(keys).__name__} is no SigningKeys")
        check_time("lifetime", lifetime, timedelta(seconds=1), _LONGEST_LIFE)
        if isinstance(claims, str):
            raise ConfigurationError("claims", "is a list of names")
        if taken := REGISTERED.intersection(claims):
            raise ConfigurationError("claims", f"{sorted(taken)} have a meaning already")
        self.url, self.keys = url, keys
        spelled = audiences[0] if len(audiences) == 1 else audiences
        self._terms = Terms(url, spelled, client_id, lifetime.total_seconds())
        self._claims, self._clock = frozenset(claims), clock

    def issue(self, session: Session, claims: Mapping[str, Any] | None = None) -> AccessToken:
        """Return a token for who is signed in to a session; no cache stores the response.

        Args:
            claims: what it shall say besides, by the names that the issuer may use. It is readable
                for whoever holds the token.

        Raises:
            Unauthenticated: nobody is signed in, or not any more.
            StepUpRequired: who is has to be proved again.
            RuntimeError: the session is not stored as it is: commit it first.
            ValueError: a name is not among the issuer's, or the token is too long.
            TypeError: a value is no JSON.
        """
        subject, state = session.require_subject(), session.state
        record, expires_at = state.base, session.expires_at
        changes = state.is_changing_privileges or state.is_emptied(session)
        if record is None or expires_at is None or changes:
            raise RuntimeError(
                "who is signed in changes with this request: commit the session first"
            )
        if unknown := set(claims or ()) - self._claims:
            raise ValueError(f"{sorted(unknown)} are not among the issuer's claims")
        now = self._clock()
        lifetime = lifetime_of(self._terms, int(expires_at.timestamp() * 1_000), now)
        if lifetime < 1:
            raise Unauthenticated(f"the session of {subject!r} is about to be over")
        id = base64url.encode(os.urandom(16))
        said = claims_for(
            record, session.actor, self._terms, id=id, now=int(now), lifetime=lifetime
        )
        text = write({**(claims or {}), **said}, self.keys.first)
        if len(text) > LONGEST:
            raise ValueError(f"the token has {len(text)} characters, over {LONGEST}")
        state.shows_token = True
        return AccessToken(text, lifetime)

    def __repr__(self) -> str:
        return f"<Issuer {self.url}>"
