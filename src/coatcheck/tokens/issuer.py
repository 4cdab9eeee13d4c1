"""Access tokens for who has a session: short-lived, signed, and checked without the store."""

import os
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from coatcheck.core.claims import REGISTERED
from coatcheck.core.session import Session
from coatcheck.errors import ConfigurationError
from coatcheck.tokens import strict
from coatcheck.tokens.address import check_issuer
from coatcheck.tokens.compact import LONGEST, write
from coatcheck.tokens.keys import SigningKeys

_LONGEST_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was issued. A secret, until it is over.

    Attributes:
        lifetime: seconds until then.
    """

    _text: str
    lifetime: int

    def reveal(self) -> str:
        """Return the token itself."""
        return self._text

    def response(self) -> dict[str, str | int]:
        """Return the body of the answer to who asked for it (RFC 6749 5.1).

        To be sent with `Cache-Control: no-store`.
        """
        return {"access_token": self._text, "token_type": "Bearer", "expires_in": self.lifetime}

    def __repr__(self) -> str:
        return f"<AccessToken for {self.lifetime} s>"


class Issuer:
    """Issues access tokens (RFC 9068).

    Args:
        url: the name of who issues, an `https://` URL (`iss`).
        keys: the first signs.
        audience: the services that shall accept the tokens, by the names they call themselves.
        lifetime: of a token; no longer than its session's. Who checks tokens without the store
            accepts one for so long, whatever became of the session.
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
        if not timedelta(seconds=1) <= lifetime <= _LONGEST_LIFE:
            raise ConfigurationError("lifetime", f"{lifetime} is not 1 s to 24 h")
        if isinstance(claims, str):
            raise ConfigurationError("claims", "is a list of names")
        if taken := REGISTERED.intersection(claims):
            raise ConfigurationError("claims", f"{sorted(taken)} have a meaning already")
        self.url, self.keys = url, keys
        self._audience = audiences[0] if len(audiences) == 1 else audiences
        self._lifetime, self._claims = lifetime.total_seconds(), frozenset(claims)
        self._client_id, self._clock = client_id, clock

    def issue(self, session: Session, claims: Mapping[str, Any] | None = None) -> AccessToken:
        """Return a token for who is signed in to a session.

        Args:
            claims: what it shall say besides, by the names that the issuer may use. It is readable
                for whoever holds the token.

        Raises:
            Unauthenticated: nobody is signed in.
            StepUpRequired: who is has to be proved again.
            RuntimeError: the session is not stored as it is: commit it first.
            ValueError: a name is not among the issuer's, or the token is too long.
            TypeError: a value is no JSON.
        """
        subject, info, now = session.require_subject(), session.info, self._clock()
        if info is None or info.subject != subject or session.state.is_changing_privileges:
            raise RuntimeError(
                "who is signed in changes with this request: commit the session first"
            )
        if unknown := set(claims or ()) - self._claims:
            raise ValueError(f"{sorted(unknown)} are not among the issuer's claims")
        lifetime = int(min(self._lifetime, info.expires_at.timestamp() - now))
        authenticated_at = info.authenticated_at
        said: dict[str, Any] = {
            **(claims or {}),
            "iss": self.url,
            "sub": subject,
            "aud": self._audience,
            "client_id": self._client_id,
            "iat": int(now),
            "exp": int(now) + max(lifetime, 0),
            "jti": strict.encode(os.urandom(16)),
            "sid": info.id,
            "lineage": info.lineage,
            "acr": f"aal{info.assurance}",
        }
        if authenticated_at is not None:
            said["auth_time"] = int(authenticated_at.timestamp())
        if session.actor is not None:
            said["act"] = {"sub": session.actor}
        text = write(said, self.keys.first)
        if len(text) > LONGEST:
            raise ValueError(f"the token has {len(text)} characters, over {LONGEST}")
        return AccessToken(text, max(lifetime, 0))

    def __repr__(self) -> str:
        return f"<Issuer {self.url}>"
