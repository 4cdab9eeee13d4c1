"""What every adapter does with a request before the session is opened, and with its headers after.

No framework and no I/O here: an adapter calls `arrive`, opens, runs the application, commits, and
calls `depart` for the response's headers.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from coatcheck.core.policy import Policy
from coatcheck.core.presented import Presented
from coatcheck.core.record import Client
from coatcheck.core.session import Session
from coatcheck.errors import ConfigurationError
from coatcheck.web.agent import family
from coatcheck.web.answers import Answer
from coatcheck.web.caching import protect
from coatcheck.web.proxy import Peer, Proxies
from coatcheck.web.transport import Headers, Transport

_log = logging.getLogger("coatcheck")


Passive = Collection[str] | Callable[[str, Headers], bool]
"""The paths of requests that are nobody's activity, or what tells by path and headers."""


class Arrival(NamedTuple):
    """What a request came with.

    Attributes:
        transport: what carries tokens on this connection; `None`: nothing may.
        is_activity: whether a person acts; a poll or a browser that fetches ahead does not.
    """

    transport: Transport | None
    presented: Sequence[Presented]
    client: Client
    is_activity: bool


class Gate:
    """One application's way in and out.

    Raises:
        ConfigurationError: the settings cannot work; it names the setting.
    """

    def __init__(
        self,
        policy: Policy,
        transport: Transport,
        *,
        development: bool = False,
        trusted_proxies: Sequence[str] = (),
        passive: Passive = (),
    ) -> None:
        transport.check(policy)
        if not transport.secure:
            raise ConfigurationError("secure", "plain HTTP is for development=True only")
        self._transport = transport
        self._development = transport.for_development() if development else None
        self._proxies = Proxies(trusted_proxies)
        self._is_passive = _passive(passive)

    def arrive(self, headers: Headers, peer: str | None, scheme: str, path: str) -> Arrival:
        """Look at a request: what may carry tokens, what was presented, who is there.

        Args:
            headers: with names in lower case.
            peer: the address of the other end of the connection.
            scheme: of the connection, `http`, `https`, `ws` or `wss`.
            path: below where the application is mounted.
        """
        resolved = self._proxies.resolve(peer, scheme, headers)
        agent = purpose = b""
        for name, value in headers:
            if name == b"user-agent":
                agent = value
            elif name in (b"sec-purpose", b"purpose"):
                purpose = value
        transport = self._carrier(resolved)
        presented = transport.read(headers) if transport else ()
        client = Client(resolved.address, family(agent))
        is_activity = b"prefetch" not in purpose and not self._is_passive(path, headers)
        return Arrival(transport, presented, client, is_activity)

    def depart(self, arrival: Arrival, session: Session, headers: Headers, mount: str) -> Headers:
        """Return the response's headers with what the session adds to them.

        Nothing, when nobody looked at it. Call it after the commit.

        Args:
            mount: the path the application is mounted at.
        """
        transport, state = arrival.transport, session.state
        if transport is None or not state.is_seen:
            return headers
        written = transport.write(state.cookies, mount.rstrip("/")) if state.cookies else []
        return protect(headers, vary=transport.vary, hands_over=bool(written)) + written

    @staticmethod
    def answer_headers(arrival: Arrival, answer: Answer) -> Headers:
        """Return the headers of one of the library's answers, a 401's challenge included."""
        challenge = arrival.transport.challenge if arrival.transport else None
        if answer.status != 401 or challenge is None:
            return answer.headers
        return [*answer.headers, (b"www-authenticate", challenge)]

    def _carrier(self, peer: Peer) -> Transport | None:
        if peer.secure:
            return self._transport
        if self._development is not None and peer.is_local:
            _warn_once()
            return self._development
        return None


def _passive(passive: Passive) -> Callable[[str, Headers], bool]:
    if callable(passive):
        return passive
    if isinstance(passive, str) or not all(path.startswith("/") for path in passive):
        raise ConfigurationError("passive", f"{passive!r} is no list of paths from / on")
    paths = frozenset(passive)
    return lambda path, _: path in paths


_warned = False


def _warn_once() -> None:
    global _warned  # noqa: PLW0603 - once for the process, whatever the number of apps
    if not _warned:
        _warned = True
        _log.warning(
            "development mode: plain HTTP from this machine gets cookies sid and anon, not Secure"
        )
