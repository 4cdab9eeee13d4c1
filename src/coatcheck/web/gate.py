"""What every adapter does with a request first: find the token and the client, open the session.

What it does with the response is in `exchange`.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypedDict

from coatcheck.core.record import Client
from coatcheck.core.session import Session
from coatcheck.core.unseen import Unseen
from coatcheck.door import Arrival
from coatcheck.errors import CoatcheckError, ConfigurationError, CSRFRefused
from coatcheck.sessions import Sessions
from coatcheck.web import clear_site_data as clearing
from coatcheck.web.agent import family
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.csrf import CSRF, SAFE, Objection, Peek, token_in
from coatcheck.web.exchange import Exchange
from coatcheck.web.hints import languages, platform
from coatcheck.web.proxy import Peer, Proxies
from coatcheck.web.redirect import ToPage, check_page, leading_back
from coatcheck.web.ticket import origin_of
from coatcheck.web.transport import Headers, Transport, joined

_log = logging.getLogger("coatcheck")


Passive = Collection[str] | Callable[[str, Headers], bool]
"""The paths of requests that are nobody's activity, or what tells by path and headers."""


class GateOptions(TypedDict, total=False):
    """What every adapter can be told.

    Attributes:
        transport: how tokens travel; by default the cookies `__Host-sid` and `__Host-anon`.
        development: allow plain HTTP from this machine, with cookies without `Secure` and prefix,
            `sid` and `anon` unless they have names of their own.
        trusted_proxies: addresses or networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are
            believed.
        passive: paths of requests that keep nobody signed in, such as polls, below where the
            application is mounted and compared whole; or what tells by path and headers (names in
            lower case).
        csrf: which requests of other pages are let in; by default none that change something.
        step_up_url: path of the page where users prove more, for pages that raise `StepUpRequired`;
            they lead there with `next`, to be read by `coatcheck.web.safe_next`. Other requests,
            and all without it, are answered 401.
        tickets: whether a WebSocket's handshake may present a ticket in its URL, `?ticket=...`, in
            place of what `transport` carries. See `Sessions.issue_ticket`.
        clear_site_data: what a browser is asked to clear of the site when its user logs out, over
            HTTPS: `True` for `cache` and `storage`, or a list of types (W3C Clear Site Data 3.1).
            `cookies` takes those of all sites of the registrable domain.
    """

    transport: Transport | None
    development: bool
    trusted_proxies: Sequence[str]
    passive: Passive
    csrf: CSRF | None
    step_up_url: str | None
    tickets: bool
    clear_site_data: bool | Collection[str]


class Gate:
    """One application's way in.

    Args:
        sessions: where sessions come from.
        transport, development, trusted_proxies, passive, csrf, step_up_url, tickets,
            clear_site_data: see `GateOptions`.
        of: the kind of session that the framework expects.
        adapter: the module that enters by it, for errors.

    Attributes:
        searches_forms: whether `enter` may want to peek into a form.

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
        csrf: CSRF | None = None,
        step_up_url: str | None = None,
        tickets: bool = False,
        clear_site_data: bool | Collection[str] = False,
        of: type[Unseen] = Unseen,
        adapter: str = __name__,
    ) -> None:
        if not isinstance(sessions, Sessions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("sessions", f"asyncio needs Sessions, not {sessions!r}")
        if isinstance(transport, type):
            raise ConfigurationError("transport", f"is a class: write {transport.__name__}()")
        transport = transport or CookieTransport.of(sessions.policy)
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
        if not isinstance(csrf, CSRF | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("csrf", f"{csrf!r} is no CSRF")
        csrf = csrf or CSRF()
        self._csrf = csrf if transport.is_ambient else CSRF(off="no browser sends tokens by itself")
        if tickets not in (True, False) or (tickets and sessions.is_blocking):
            raise ConfigurationError("tickets", "is True or False, and False where threads answer")
        clearing.line(clear_site_data)  # which refuses what is no type
        self._at_logout = clear_site_data
        self._of = of
        self.takes_tickets = tickets
        self.adapter = adapter
        self.searches_forms = self._csrf.strict and self._csrf.off is None

    @property
    def sessions(self) -> Sessions:
        """Where sessions come from."""
        return self._sessions

    @property
    def transport(self) -> Transport:
        """How tokens travel."""
        return self._transport

    @property
    def is_development(self) -> bool:
        """Whether plain HTTP from this machine gets sessions."""
        return self._development is not None

    def guards(self, method: str | None) -> bool:
        """Tell whether a request with this method may be refused."""
        return self._csrf.off is None and method not in SAFE

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
        *,
        method: str | None,
        query: str = "",
        peek: Peek | None = None,
        ticket: str | None = None,
    ) -> Exchange:
        """Open the session of a request. It never fails: the first look at the session may.

        What `refused` of the exchange says is to be answered in the application's place.

        Args:
            headers: with names in lower case.
            peer: the address of the other end of the connection.
            scheme: of the connection, `http`, `https`, `ws` or `wss`.
            path: below where the application is mounted.
            mount: where that is; empty at the root.
            arrival: when the request arrived; by default now.
            method: as the client spelled it; `None`: it is a WebSocket's handshake.
            peek: looks into the body, if it is a form.
            query: what follows the path, as it came.
            ticket: what a WebSocket presents instead of all else, good or not.
        """
        said = joined(headers)
        resolved = self._proxies.resolve(peer, scheme, said)
        purpose = said.get(b"sec-purpose") or said.get(b"purpose", b"")
        transport = self._carrier(resolved)
        client = _client(resolved.address, said, is_socket=scheme in ("ws", "wss"))
        is_activity = b"prefetch" not in purpose and not self._is_passive(path, headers)
        objection: Objection | None = None
        if ticket is not None and transport is not None:  # which has an origin of its own
            session = await self._sessions.redeem(
                ticket, origin_of(headers), client=client, is_activity=is_activity, of=self._of
            )
        else:
            objection = self._csrf.objection(method, path, headers, secure=resolved.secure)
            is_activity = is_activity and (objection is None or not objection.is_final)
            session = await self._sessions.admit(
                transport.read(headers) if transport else (),
                client=client,
                is_activity=is_activity,
                of=self._of,
                arrival=arrival,
            )
        session.state.is_deliverable = transport is not None
        if self._development is not None:
            session.state.is_development = True
        mount = mount.rstrip("/")
        to_page: ToPage | None = None
        if self._step_up_url is not None:
            to_page = partial(
                leading_back,
                self._step_up_url,
                headers,
                mount + path,
                query,
                is_safe=method in SAFE,
            )
        at_logout = self._at_logout if transport is not None and transport.secure else False
        exchange = Exchange(self._sessions, session, transport, mount, to_page, at_logout)
        if objection is not None:
            exchange.refused = await self._refusal(objection, session, headers, peek)
        return exchange

    async def again(self, exchange: Exchange) -> Exchange:
        """Enter once more by what was entered by already: as for the next event of a socket."""
        before = exchange.session
        session = await self._sessions.again(before, of=self._of)
        session.state.is_deliverable = before.state.is_deliverable
        session.state.is_development = before.state.is_development
        return exchange.again(session)

    async def _refusal(
        self, objection: Objection, session: Session, headers: Headers, peek: Peek | None
    ) -> CoatcheckError | None:
        """Say why a request is not let in, or let it in for its token."""
        state = session.state
        if not objection.is_final:
            token = await token_in(headers, peek)
            if token is not None and state.failure is not None:
                return state.failure
            if state.has_issued(token):
                return None
        state.is_activity = False
        self._sessions.report_forgery(session, **objection.facts())
        return CSRFRefused("the request was not made by a page of the application")

    def _carrier(self, peer: Peer) -> Transport | None:
        if peer.secure:
            return self._transport
        if self._development is not None and peer.is_local:
            _warn_once()
            return self._development
        return None


def _client(address: str | None, said: Mapping[bytes, bytes], *, is_socket: bool) -> Client:
    """Return who asks."""
    get = said.get
    system = platform(get(b"sec-ch-ua-platform", b""), get(b"sec-ch-ua-mobile", b""))
    spoken = languages(get(b"accept-language", b""))
    if is_socket:  # browsers leave some of them out of the handshake
        return Client(address, family(get(b"user-agent", b"")), system or None, spoken or None)
    return Client(address, family(get(b"user-agent", b"")), system, spoken)


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
            "development mode: plain HTTP from this machine gets cookies that are not Secure"
        )
