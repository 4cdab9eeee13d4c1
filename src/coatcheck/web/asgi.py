"""Sessions for ASGI applications: Starlette, FastAPI and whatever speaks ASGI 3.

A request goes straight down, in `serve`: `gate.enter` reads the token and opens the session, the
application runs, `exchange.commit` saves before the first byte of the response, `exchange.depart`
adds headers.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol, Unpack

from coatcheck.core.fate import Fate
from coatcheck.core.session import Session
from coatcheck.core.unseen import look
from coatcheck.errors import ConfigurationError
from coatcheck.sessions import Sessions
from coatcheck.web.answers import Answer, close_code
from coatcheck.web.csrf import is_form
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate, GateOptions
from coatcheck.web.lifespan import live, made_or_error, stop_the_start
from coatcheck.web.open import Open
from coatcheck.web.requires import Age, View, guarded
from coatcheck.web.ticket import ticket_in
from coatcheck.web.transport import Headers
from coatcheck.web.twice import serving, two

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# What decides a request: the first of these is the moment to commit.
_STARTS = (
    "http.response.start",
    "websocket.accept",
    "websocket.http.response.start",
    "websocket.close",
)
_ADAPTER = "coatcheck.adapter"
_REFUSED = "coatcheck.refused"
_OWN_CODES = 3000
"""From here on, a WebSocket's closing codes are not the protocol's own (RFC 6455 7.4.2)."""
_log = logging.getLogger("coatcheck")

Prepare = Callable[[Exchange, Scope, int], bool | None]
"""What a framework has to do before the commit; it is told the status of the response.

True: another session in the scope may stay there.
"""


class Connection(Protocol):
    """A request or a WebSocket of Starlette or FastAPI, or anything else that has its scope."""

    @property
    def scope(self) -> Scope:
        """The ASGI scope."""
        ...


def session_of(connection: Connection) -> Session:
    """Return what `request.session` is, typed: Starlette knows it as a plain dict.

    Raises:
        StoreUnavailable: it could not be loaded. Left alone, it becomes a 503.
        RuntimeError: no `SessionMiddleware` is around the application, or the response has started
            and nobody looked before.
    """
    session = connection.scope.get("session")
    if not isinstance(session, Session):
        raise RuntimeError("no session here: add coatcheck's SessionMiddleware to the application")
    return look(session)


def requires(*, level: int = 1, max_age: Age = None) -> Callable[[View], View]:
    """Keep a Starlette endpoint for who is authenticated so well, and so recently.

    See `Session.require`; `@requires()` asks for a login.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """

    def of_first(connection: Connection, *_: object, **__: object) -> Session:
        return session_of(connection)

    return guarded(of_first, level, max_age)


class SessionMiddleware:
    """Puts the session into `scope["session"]`, where `request.session` finds it.

    Args:
        app: the ASGI application inside.
        sessions: where sessions come from.
        options: see `coatcheck.web.GateOptions`.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting. Starlette makes its
            middleware when the server starts the application already; the start then fails by the
            lifespan protocol, which stops the server whatever it makes of exceptions.
    """

    def __init__(
        self,
        app: App,
        *,
        sessions: Sessions,
        **options: Unpack[GateOptions],
    ) -> None:
        self._app, self._sessions = app, sessions
        self._gate = made_or_error(lambda: Gate(sessions, **options, adapter=__name__))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one WebSocket."""
        if isinstance(self._gate, ConfigurationError):
            await stop_the_start(self._gate, scope, receive, send)
        if scope["type"] in ("http", "websocket"):
            await serve(self._app, self._gate, scope, receive, send)
        elif scope["type"] == "lifespan":
            await live(self._app, self._sessions.flush, scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def serve(
    app: App,
    gate: Gate,
    scope: Scope,
    receive: Receive,
    send: Send,
    prepare: Prepare | None = None,
) -> None:
    """Serve one request or one WebSocket, with the session in `scope["session"]`.

    Raises:
        ConfigurationError: there is another session in the scope already, or in the end.
    """
    body = _Body(scope, receive) if gate.searches_forms else None
    exchange = await enter(gate, scope, body)
    response = _Response(exchange, scope, receive, send, prepare)
    if exchange.refused is not None:
        if scope["type"] == "websocket":
            await receive()  # that it wants to connect
        await response.refuse(exchange.refused)
        return
    if response.is_socket:
        receive = response.receive
    elif body is not None:
        receive = body.receive
    within = serving.set((gate.adapter, scope["headers"]))
    try:
        await app(scope, receive, response.send)
    except Exception as error:
        if not await response.fail(error):
            raise
    finally:
        if not response.has_started:  # the application was cancelled, or answered nothing
            await asyncio.shield(exchange.leave())
        elif response.is_long or exchange.session.state.is_sent:  # as a background task may go on
            response.leave()
            exchange.report_unsaved()
        serving.reset(within)
    if response.is_long:
        await response.closed()


async def enter(gate: Gate, scope: Scope, body: "_Body | None" = None) -> Exchange:
    """Open the session of a scope, and put it there.

    Args:
        body: of the request, where it may be looked into.

    Raises:
        ConfigurationError: there is another one already.
    """
    require_alone(scope, gate.adapter)
    if scope.get("session") is not None:
        # Left alone, the other would save what is in ours, in its own way.
        raise ConfigurationError("application", "has other sessions around it: leave them out")
    peer = scope["client"][0] if scope.get("client") else None
    mount = scope.get("root_path", "")
    ticket: str | None = None
    if gate.takes_tickets and scope["type"] == "websocket":
        ticket, scope["query_string"] = ticket_in(scope["query_string"])
    exchange = await gate.enter(
        list(scope["headers"]),
        peer,
        scope.get("scheme", "http"),
        scope["path"].removeprefix(mount),
        mount,
        method=scope["method"] if scope["type"] == "http" else None,
        peek=None if body is None else body.peek,
        query=scope.get("query_string", b"").decode("latin-1"),
        ticket=ticket,
    )
    scope["session"], scope[_ADAPTER] = exchange.session, gate.adapter
    return exchange


def require_alone(scope: Scope, adapter: str) -> None:
    """Refuse to open a session beside another adapter's.

    Raises:
        ConfigurationError: one opened it already.
    """
    if (outer := scope.get(_ADAPTER)) is not None:
        raise two(outer, adapter)


def has_session(scope: Scope) -> bool:
    """Tell whether a session of ours is around: it answers errors, and undoes what was changed."""
    return _ADAPTER in scope


def refuse(scope: Scope, error: Exception) -> None:
    """Have an error of the session answered, in place of what a framework makes of it."""
    scope[_REFUSED] = error


class _Body:
    """The body of a request, whose beginning may be looked into before the application has it."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope, self._receive = scope, receive
        self._seen: deque[Message] = deque()

    async def peek(self, size: int) -> bytes:
        """Return the beginning of a form."""
        begun = b""
        is_begun = any(n == b"content-type" and is_form(v) for n, v in self._scope["headers"])
        while is_begun and len(begun) < size:
            message = await self._receive()
            self._seen.append(message)
            begun += message.get("body", b"")
            is_begun = message.get("more_body", False)
        return begun[:size]

    async def receive(self) -> Message:
        """Return the next message, those first that were seen before."""
        return self._seen.popleft() if self._seen else await self._receive()


class _Response:
    """The messages of a response: commit when it starts, or answer in its place.

    What is long is closed when the session is over.

    Attributes:
        has_started: whether the client is being answered.
        is_long: whether the application went on after that: a stream, or a WebSocket.
        is_socket: whether it is a WebSocket.
    """

    has_started = False
    _is_replaced = False
    _headers: Headers = []  # noqa: RUF012 - never changed
    _open: Open | None = None
    _waiting: asyncio.Task[Any] | None = None

    def __init__(
        self,
        exchange: Exchange,
        scope: Scope,
        receive: Receive,
        send: Send,
        prepare: Prepare | None,
    ) -> None:
        self._exchange, self._scope, self._send, self._prepare = exchange, scope, send, prepare
        self._receive = receive
        self.is_socket = self.is_long = scope["type"] == "websocket"
        self._mount = scope.get("root_path", "")

    async def send(self, message: Message) -> None:
        """Pass a message of the application on; commit first when it starts the response."""
        if self.has_started and not self._is_replaced:
            await self._go_on(message)
            return
        if self._is_replaced:
            # The client has its answer already. Who goes on is told to stop, as after a disconnect.
            if message.get("more_body") or message["type"] == "websocket.send":
                raise OSError("the session could not be saved; an error was answered instead")
            return
        kind = message["type"]
        if kind in _STARTS:
            # A WebSocket that is closed before it was accepted is a request that failed.
            status = 500 if kind == "websocket.close" else int(message.get("status", 200))
            if (refused := self._scope.pop(_REFUSED, None)) is not None:
                await self.fail(refused)
                return
            if self._prepare is None or not self._prepare(self._exchange, self._scope, status):
                self._check()
            try:
                await self._exchange.commit(status, is_last=kind == "http.response.start")
            except Exception as error:
                if not await self._replace(self._exchange.answer(error)):
                    raise
                return
            self.has_started = True
            if kind != "websocket.close":
                headers = self._exchange.depart(list(message.get("headers", ())))
                message = {**message, "headers": headers}
                self._headers = headers
        await self._send(message)
        if kind == "websocket.accept":
            self._open = self._opened()
            await self._open.is_over()

    async def _go_on(self, message: Message) -> None:
        """Pass on what comes after the response started, unless its session is over by then.

        Raises:
            OSError: it is.
        """
        more = message.get("more_body", False)
        if more and not self.is_long:
            self.is_long = True
            # One that has a length ends by itself, and cannot end before.
            if not any(name.lower() == b"content-length" for name, _ in self._headers):
                self._open = self._opened()
        if self._open is not None:
            if message["type"] == "websocket.close" or not (more or self.is_socket):
                self._open.leave()
            elif await self._open.is_over():
                raise OSError("the session is over, and what it had open is closed")
            if self._open.fate is not None:
                return
        await self._send(message)
        if message["type"] == "http.response.body" and not more:
            self._exchange.session.state.is_sent = True

    async def receive(self) -> Message:
        """Return the next message to a WebSocket; a disconnect, when its session is over."""
        message = None if self._fate else await self._next()
        if self._open is not None:
            if message is not None and message["type"] == "websocket.disconnect":
                self._open.leave()
            else:
                await self._open.is_over()
        if message is not None and self._fate is None:
            return message
        fate = self._fate or Fate.ENDED
        return {"type": "websocket.disconnect", "code": close_code(fate), "reason": fate.value}

    async def _next(self) -> Message | None:
        """Wait for a message, and no longer when the session is over meanwhile."""
        task = self._waiting = asyncio.current_task()
        before = task.cancelling() if task else 0
        try:
            return await self._receive()
        except asyncio.CancelledError:
            if task is None or self._fate is None or task.uncancel() > before:
                raise
            return None
        finally:
            self._waiting = None

    @property
    def _fate(self) -> Fate | None:
        return self._open.fate if self._open is not None else None

    def _opened(self) -> Open:
        return Open(self._exchange, self._close, self._wake)

    def _wake(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    async def _close(self, fate: Fate) -> None:
        """Close what is open, without waiting for the application."""
        if not self.is_socket:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        code = close_code(fate)
        close: Message = {"type": "websocket.close", "code": code, "reason": fate.value}
        try:
            await self._send(close)
        except OSError:  # the client is gone
            raise
        except Exception:  # it lets applications say their own codes only, as daphne does
            await self._send({**close, "code": _OWN_CODES + code})

    def leave(self) -> None:
        """Note that nothing is open any more."""
        if self._open is not None:
            self._open.leave()

    async def closed(self) -> None:
        """Wait until what was closed is: the server takes it that nothing comes any more."""
        if self._open is not None:
            await self._open.closed()

    def _check(self) -> None:
        """Refuse other sessions in ours; an application that is mounted inside may have its own.

        Raises:
            ConfigurationError: there are some.
        """
        is_ours = self._scope.get("session") is self._exchange.session
        if not is_ours and self._scope.get("root_path", "") == self._mount:
            raise ConfigurationError(
                "application", "has other sessions in it, or replaced the session: leave them out"
            )

    async def refuse(self, error: Exception) -> None:
        """Answer a request that does not reach the application."""
        await self._replace(self._exchange.answer(error))

    async def fail(self, error: Exception) -> bool:
        """Deal with an error that left the application; tell whether it was answered."""
        if self._is_replaced or self._fate is not None:
            _log.debug("after its response was replaced, the application failed", exc_info=error)
            return True
        if self.has_started:
            return False
        return await self._replace(await self._exchange.fail(error))

    async def _replace(self, answer: Answer | None) -> bool:
        """Answer in the application's place; leave an error of its own to the server."""
        if answer is None:
            return False
        self._is_replaced = self.has_started = True
        await respond(self._scope, self._send, answer)
        return True


async def respond(scope: Scope, send: Send, answer: Answer) -> None:
    """Answer in the application's place; a WebSocket that was not accepted is closed."""
    if scope["type"] == "http":
        kind = "http.response"
    elif "websocket.http.response" in scope.get("extensions", {}):
        kind = "websocket.http.response"
    else:
        fate = Fate.UNAVAILABLE if answer.status in (429, 503) else Fate.ENDED
        await send({"type": "websocket.close", "code": close_code(fate)})
        return
    await send({"type": f"{kind}.start", "status": answer.status, "headers": answer.headers})
    await send({"type": f"{kind}.body", "body": answer.body})
