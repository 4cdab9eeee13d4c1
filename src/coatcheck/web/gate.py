"""What every adapter does with a request first: find the token and the client, open the session.

What it does with the response is in `exchange`.
"""

import logging
from collections.abc import Callable, Collection, Sequence

from coatcheck.core.record import Client
from coatcheck.core.unseen import Unseen
from coatcheck.errors import ConfigurationError
from coatcheck.sessions import Arrival, Sessions
from coatcheck.web.agent import family
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.exchange import Exchange
from coatcheck.web.proxy import Peer, Proxies
from coatcheck.web.redirect import check_page, is_page, leading_back
from coatcheck.web.transport import Headers, Transport

_log = logging.getLogger("coatcheck")


Passive = Collection[str] | Callable[[str, Headers], bool]
"""The paths of requests that are nobody's activity, or what tells by path and headers."""


class Gate:
    """One application's way in.

    Args:
        sessions: where sessions come from.
        transport: how tokens travel; by default the cookies `__Host-sid` and `__Host-anon`.
        development: allow plain HTTP from this machine, with cookies named `sid` and `anon`.
        trusted_proxies: addresses or networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are
            believed.
        passive: see `Passive`.
        step_up_url: path of the page where users prove more, for pages that raise `StepUpRequired`;
            they lead there with `next`, to be read by `coatcheck.web.safe_next`. Other requests,
            and all without it, are answered 401.
        of: the kind of session that the framework expects.

    Raises:
        ConfigurationError: the settings cannot work; it names the setting.
    """

    def __init__(
        self,
        sessions: Sessions,
        transport: Transport | None = None,
        *,
        development: bool = False,
        trusted_proxies: Sequence[str] = (),
        passive: Passive = (),
        step_up_url: str | None = None,
        of: type[Unseen] = Unseen,
    ) -> None:
        if not isinstance(sessions, Sessions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("sessions", f"asyncio needs Sessions, not {sessions!r}")
        if isinstance(transport, type):
            raise ConfigurationError("transport", f"is a class: write {transport.__name__}()")
        transport = transport or CookieTransport()
        transport.check(sessions.policy)
        if not transport.secure:
            raise ConfigurationError("secure", "plain HTTP is for development=True only")
        check_page(step_up_url)
        self._sessions = sessions
        self._step_up_url = step_up_url
        self._transport = transport
        self._development = transport.for_development() if development else None
        self._proxies = Proxies(trusted_proxies)
        self._is_passive = _passive(passive)
        self._of = of

    def arrive(self) -> Arrival:
        """Note when a request arrived that may be let in later."""
        return self._sessions.arrive()

    async def enter(
        self,
        headers: Headers,
        peer: str | None,
        scheme: str,
        path: str,
        mount: str,
        arrival: Arrival | None = None,
        query: str = "",
    ) -> Exchange:
        """Open the session of a request. It never fails: the first look at the session may.

        Args:
            headers: with names in lower case.
            peer: the address of the other end of the connection.
            scheme: of the connection, `http`, `https`, `ws` or `wss`.
            path: below where the application is mounted.
            mount: where that is; empty at the root.
            arrival: when the request arrived; by default now.
            query: what follows the path, as it came.
        """
        resolved = self._proxies.resolve(peer, scheme, headers)
        agent = purpose = b""
        for name, value in headers:
            if name == b"user-agent":
                agent = value
            elif name in (b"sec-purpose", b"purpose"):
                purpose = value
        transport = self._carrier(resolved)
        session = await self._sessions.admit(
            transport.read(headers) if transport else (),
            client=Client(resolved.address, family(agent)),
            is_activity=b"prefetch" not in purpose and not self._is_passive(path, headers),
            of=self._of,
            arrival=arrival,
        )
        session.state.is_deliverable = transport is not None
        mount = mount.rstrip("/")
        page = self._step_up_url
        if page is not None:
            page = leading_back(page, headers, mount + path, query) if is_page(headers) else None
        return Exchange(self._sessions, session, transport, mount, page)

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
