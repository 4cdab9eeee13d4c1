"""Sessions for ASGI applications: Starlette, FastAPI and whatever speaks ASGI 3.

A request goes straight down: `transport.read`, `sessions.open`, the application, `sessions.commit`
before the first byte of the response, `transport.write`.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from coatcheck.core.record import Client
from coatcheck.core.session import Session
from coatcheck.errors import ConfigurationError, InsecureTransport, StoreUnavailable
from coatcheck.sessions import Sessions
from coatcheck.web.agent import family
from coatcheck.web.answers import Answer, answer
from coatcheck.web.caching import protect
from coatcheck.web.cookie import CookieTransport
from coatcheck.web.proxy import Peer, Proxies
from coatcheck.web.transport import Headers, Transport
from coatcheck.web.unseen import is_seen, unseen

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The messages that carry response headers; each is sent once.
_STARTS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_log = logging.getLogger("coatcheck")


class Connection(Protocol):
    """A request or a WebSocket of Starlette or FastAPI, or anything else that has its scope."""

    @property
    def scope(self) -> Scope:
        """The ASGI scope."""
        ...


def session_of(connection: Connection) -> Session:
    """Return what `request.session` is, typed: Starlette knows it as a plain dict.

    Raises:
        RuntimeError: no `SessionMiddleware` is around the application.
    """
    session = connection.scope.get("session")
    if not isinstance(session, Session):
        raise RuntimeError("no session here: add coatcheck's SessionMiddleware to the application")
    return session


class SessionMiddleware:
    """Puts the session into `scope["session"]`, where `request.session` finds it.

    Args:
        app: the ASGI application inside.
        sessions: where sessions come from.
        transport: how tokens travel; by default the cookies `__Host-sid` and `__Host-anon`.
        development: allow plain HTTP from this machine, with cookies named `sid` and `anon`.
        trusted_proxies: addresses or networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are
            believed.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """

    def __init__(
        self,
        app: App,
        *,
        sessions: Sessions,
        transport: Transport | None = None,
        development: bool = False,
        trusted_proxies: Sequence[str] = (),
    ) -> None:
        if not isinstance(sessions, Sessions):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError(
                "sessions", "ASGI needs Sessions, not " + type(sessions).__name__
            )
        self._app = app
        self._sessions = sessions
        self._transport = transport or CookieTransport()
        self._transport.check(sessions.policy)
        self._development = self._transport.for_development() if development else None
        self._proxies = Proxies(trusted_proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        transport, client, is_activity = self._meet(scope)
        session = await self._open(transport, scope, client)
        session.intents.is_activity = is_activity
        scope["session"] = unseen(session)
        exchange = _Exchange(self._sessions, session, transport, scope, send)
        try:
            await self._app(scope, receive, exchange.send)
        except Exception as error:
            if not await exchange.fail(error):
                raise

    def _meet(self, scope: Scope) -> tuple[Transport | None, Client, bool]:
        """Look at the connection: what may carry tokens, who it is, whether a person acts."""
        headers: Headers = scope["headers"]
        host = scope["client"][0] if scope.get("client") else None
        peer = self._proxies.resolve(host, scope.get("scheme", "http"), headers)
        agent = purpose = b""
        for name, value in headers:
            if name == b"user-agent":
                agent = value
            elif name in (b"sec-purpose", b"purpose"):
                purpose = value
        client = Client(peer.address, family(agent.decode("latin-1")))
        return self._carrier(peer), client, b"prefetch" not in purpose

    def _carrier(self, peer: Peer) -> Transport | None:
        if peer.secure or not self._transport.secure:
            return self._transport
        if self._development is not None and peer.is_local:
            _warn_once()
            return self._development
        return None

    async def _open(self, transport: Transport | None, scope: Scope, client: Client) -> Session:
        sessions = self._sessions
        presented = transport.read(scope["headers"]) if transport else None
        if presented is None:
            return await sessions.open(None, client=client)
        try:
            if presented.token is None:
                session = sessions.refuse(presented.standing, client=client)
            else:
                session = await sessions.open(presented.token, client=client)
        except StoreUnavailable as failure:
            return sessions.fail(failure, client=client)
        if session.intents.standing.is_deletable:
            session.intents.cookies[presented.signed_in] = None
        return session


class _Exchange:
    """One request's way back: commit when the response starts, or answer in its place."""

    def __init__(
        self,
        sessions: Sessions,
        session: Session,
        transport: Transport | None,
        scope: Scope,
        send: Send,
    ) -> None:
        self._sessions, self._session, self._transport = sessions, session, transport
        self._scope, self._send = scope, send
        self._has_started = False
        self._is_replaced = False

    async def send(self, message: Message) -> None:
        """Pass a message of the application on; commit first when it starts the response."""
        if self._is_replaced:
            # The client has its answer already. A stream is told to stop, as after a disconnect.
            if message.get("more_body"):
                raise OSError("the session could not be saved; an error was answered instead")
            return
        if message["type"] in _STARTS and not self._has_started:
            try:
                was_seen = await self._commit(message.get("status", 200) >= 500)
            except Exception as error:
                if not await self._replace(error):
                    raise
                return
            self._has_started = True
            message = {**message, "headers": self._headers(message.get("headers", ()), was_seen)}
        await self._send(message)

    async def fail(self, error: Exception) -> bool:
        """Deal with an error that left the application; tell whether it was answered."""
        if self._is_replaced:
            return isinstance(error, OSError)
        if self._has_started:
            return False
        try:
            await self._sessions.commit(self._session, discard=True)
        except StoreUnavailable as unavailable:
            error = unavailable if answer(error) else error
        return await self._replace(error)

    async def _commit(self, discard: bool) -> bool:
        """Commit; return whether anybody looked at the session."""
        session = self._session
        if not is_seen(session):
            if session.intents.failure is None and not discard:
                await self._sessions.touch(session)
            return False
        if self._transport is None and not discard and (session or session.subject):
            raise InsecureTransport
        await self._sessions.commit(session, discard=discard)
        return True

    def _headers(self, headers: Sequence[tuple[bytes, bytes]], was_seen: bool) -> Headers:
        if not was_seen or self._transport is None:
            return list(headers)
        mount = self._scope.get("root_path", "").rstrip("/")
        written = self._transport.write(self._session.intents.cookies, mount)
        kept = protect(list(headers), vary=self._transport.vary, hands_over=bool(written))
        return kept + written

    async def _replace(self, error: Exception) -> bool:
        """Answer an error of the session ourselves; leave every other to the server."""
        response = answer(error)
        if response is None:
            return False
        self._is_replaced = self._has_started = True
        if self._scope["type"] == "websocket":
            await self._deny(response)
        else:
            await self._respond("http.response", response)
        return True

    async def _deny(self, response: Answer) -> None:
        if "websocket.http.response" in self._scope.get("extensions", {}):
            await self._respond("websocket.http.response", response)
        else:
            code = 1013 if response.status == 503 else 1008  # RFC 6455 7.4.1: try later, policy
            await self._send({"type": "websocket.close", "code": code})

    async def _respond(self, kind: str, response: Answer) -> None:
        headers = self._headers(response.headers, True)
        await self._send({"type": f"{kind}.start", "status": response.status, "headers": headers})
        await self._send({"type": f"{kind}.body", "body": response.body})


_warned = False


def _warn_once() -> None:
    global _warned  # noqa: PLW0603 - once for the process, whatever the number of apps
    if not _warned:
        _warned = True
        _log.warning(
            "development mode: plain HTTP from this machine gets cookies sid and anon, not Secure"
        )
