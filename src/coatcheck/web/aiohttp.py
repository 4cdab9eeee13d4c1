"""Sessions for aiohttp's server.

A request goes straight down, in `_Turn.serve`: `gate.enter` has read the token and opened the
session, the handler runs, `exchange.commit` saves before the first byte of the response,
`exchange.depart` adds headers. A response that the handler begins itself, a stream or a WebSocket,
is committed when it is about to send its headers, by the signal `on_response_prepare`.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Unpack, cast

from coatcheck.core.fate import Fate
from coatcheck.core.session import Session
from coatcheck.core.unseen import look
from coatcheck.errors import ConfigurationError
from coatcheck.extras import extra
from coatcheck.sessions import Sessions
from coatcheck.web.answers import Answer, close_code
from coatcheck.web.csrf import is_handshake
from coatcheck.web.exchange import Exchange
from coatcheck.web.gate import Gate, GateOptions
from coatcheck.web.open import Open
from coatcheck.web.requires import Age, View, guarded
from coatcheck.web.streams import watched_async
from coatcheck.web.ticket import ticket_in
from coatcheck.web.transport import raw, text
from coatcheck.web.twice import two

with extra("aiohttp"):
    from aiohttp import web
    from aiohttp.http_websocket import WS_CLOSED_MESSAGE
    from aiohttp.payload import AsyncIterablePayload
    from aiohttp.typedefs import Handler
    from multidict import CIMultiDict

_log = logging.getLogger("coatcheck")


def session_of(request: web.Request) -> Session:
    """Return the session of a request.

    Raises:
        StoreUnavailable: it could not be loaded. Left alone, it becomes a 503.
        RuntimeError: the application was not `setup`, or the response has started and nobody looked
            before.
    """
    turn: _Turn | None = request.get(_KEY)
    if turn is None:
        raise RuntimeError("no session here: call coatcheck.web.aiohttp.setup(app, sessions)")
    return look(turn.exchange.session)


async def get_session(request: web.Request) -> Session:
    """Return the session of a request, as `session_of` does; there is nothing to wait for."""
    return session_of(request)


def requires(*, level: int = 1, max_age: Age = None) -> Callable[[View], View]:
    """Keep a handler for who is authenticated so well, and so recently.

    See `Session.require`; `@requires()` asks for a login.

    Raises:
        ConfigurationError: `level` or `max_age` is none.
    """
    return guarded(session_of, level, max_age)


def setup(
    app: web.Application,
    sessions: Sessions,
    **options: Unpack[GateOptions],
) -> None:
    """Give an application sessions, its sub-applications included.

    The middleware goes before all others, so that they have sessions as well.

    Args:
        app: an application that does not run yet.
        sessions: where sessions come from.
        options: see `coatcheck.web.GateOptions`.

    Raises:
        ConfigurationError: a setting cannot work; it names the setting.
    """
    if not isinstance(app, web.Application):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("app", f"{app!r} is no application of aiohttp")
    if _commit_late in app.on_response_prepare:
        raise ConfigurationError("app", "has coatcheck's sessions already")
    gate = Gate(sessions, **options, adapter=__name__)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _KEY in request:
            raise two(gate.adapter, gate.adapter)
        headers = [(name.lower(), value) for name, value in request.raw_headers]
        peer = request.remote or None
        ticket = _take_ticket(request) if gate.takes_tickets else None
        is_socket = is_handshake(request.headers.get("Upgrade"))
        exchange = await gate.enter(
            headers,
            peer,
            request.scheme,
            request.path,
            "",
            method=None if is_socket else request.method,
            peek=partial(_peek, request),
            query=request.rel_url.raw_query_string,
            ticket=ticket,
        )
        turn = _Turn(exchange)
        request[_KEY] = turn
        return await turn.serve(request, handler)

    async def flush(_: web.Application) -> None:
        await sessions.flush()

    app.middlewares.insert(0, middleware)
    app.on_response_prepare.append(_commit_late)
    app.on_cleanup.append(flush)


async def _peek(request: web.Request, size: int) -> bytes:
    """Return a short form, which aiohttp keeps for the handler; others are left alone."""
    length = request.content_length
    is_short = length is not None and length <= size
    is_plain = request.content_type == "application/x-www-form-urlencoded"
    return await request.read() if is_short and is_plain else b""


class _Turn:
    """One request and its response.

    Attributes:
        is_open: whether the response is still to be committed.
        is_long: whether the application goes on after that: a stream, or a WebSocket.
        is_over: whether the application has done its part.
        answer: what is sent in place of the application's response.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.is_open, self.is_long, self.is_over = True, False, False
        self.answer: Answer | None = None
        self.open: _Open | None = None

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Return the response to a request; raise what is aiohttp's to answer."""
        try:
            if self.exchange.refused is not None:
                raise self.exchange.refused
            try:
                response = await handler(request)
            except web.HTTPException as raised:  # a redirect, say: it is a response as well
                await self._commit_whole(raised)
                if self.answer is None:
                    raise
            else:
                await self._commit_whole(response)
                if self.answer is None:
                    await self._send(request, response)
                    return response
        except Exception as error:
            if self.open is not None and self.open.fate is not None:
                _log.debug("after its session was over, the handler failed", exc_info=error)
                return self.open.response
            if self.is_open:
                self.answer = await self.exchange.fail(error)
            if self.answer is None:
                raise
        finally:
            self.is_over = True
            if self.open is not None:
                self.open.leave()
            if self.is_open:  # the handler was cancelled, or failed
                await asyncio.shield(self.exchange.leave())
            elif self.is_long:
                self.exchange.report_unsaved()
        return web.Response(
            body=self.answer.body,
            status=self.answer.status,
            headers=CIMultiDict(text(self.answer.headers)),
        )

    async def commit(self, response: web.StreamResponse, *, is_last: bool) -> None:
        """Commit before the response starts, and add to its headers.

        Raises:
            Exception: see `Exchange.commit`; `answer` is set if it is one of the session's.
        """
        try:
            await self.exchange.commit(response.status, is_last=is_last)
        except Exception as error:
            self.answer = self.exchange.answer(error)
            self.is_open = self.answer is None
            raise
        self.is_open = False
        before = raw(response.headers.items())
        if (headers := self.exchange.depart(before)) is not before:
            response.headers.clear()
            response.headers.extend(text(headers))

    async def _commit_whole(self, response: web.StreamResponse) -> None:
        """Commit a response that nothing was sent of; `answer` is set if that fails."""
        if self.is_open and isinstance(response, web.StreamResponse):  # pyright: ignore[reportUnnecessaryIsInstance]
            await self.commit(response, is_last=True)

    async def _send(self, request: web.Request, response: web.StreamResponse) -> None:
        """Send a body that the application makes meanwhile here, to see what it does."""
        body = response.body if isinstance(response, web.Response) else None
        if isinstance(body, AsyncIterablePayload):
            self.is_long = True
            watch = self.exchange.watch() if response.content_length is None else None
            if watch is not None:
                stream: Any = body
                stream._iter = watched_async(stream._iter, watch, _awaited)
            await response.prepare(request)
            await response.write_eof()


def _take_ticket(request: web.Request) -> str | None:
    """Take the ticket out of a handshake's URL, so that the access log does not have it."""
    if not is_handshake(request.headers.get("Upgrade")):
        return None
    ticket, rest = ticket_in(request.rel_url.raw_query_string.encode())
    if ticket is not None:
        untyped: Any = request
        url = request.rel_url.with_query(None)
        url = type(url)(f"{url}?{rest.decode()}" if rest else str(url), encoded=True)
        untyped._message = untyped._message._replace(path=str(url), url=url)
        untyped._rel_url = url
    return ticket


# Before 3.14 a key is a text; from then on aiohttp warns of those.
_KEY: Any = web.RequestKey("coatcheck.turn", _Turn) if hasattr(web, "RequestKey") else "coatcheck"


async def _commit_late(request: web.Request, response: web.StreamResponse) -> None:
    """Commit a response that the handler begins itself, or keep it from beginning."""
    turn: _Turn | None = request.get(_KEY)
    if turn is None or turn.is_over:
        return
    if turn.answer is not None:
        _take_back(request, response)
        raise OSError("the session could not be saved; an error is answered instead")
    if not turn.is_open:
        return
    turn.is_long = True
    try:
        await turn.commit(response, is_last=not isinstance(response, web.WebSocketResponse))
    except Exception:
        _take_back(request, response)
        raise
    if response.content_length is None:
        turn.open = _Open(turn.exchange, response)


class _Open(Open):
    """A WebSocket or a stream that a handler began."""

    def __init__(self, exchange: Exchange, response: web.StreamResponse) -> None:
        super().__init__(exchange, self._close_response)
        self.response = response
        untyped: Any = response
        if isinstance(response, web.WebSocketResponse):
            self._receive = untyped.receive
            untyped.receive = self.receive
        else:
            self._write = untyped.write
            untyped.write = self.write
        self.watch()

    async def receive(self, *arguments: Any, **named: Any) -> Any:
        """Stand in for the WebSocket's own."""
        message = await self._receive(*arguments, **named)
        if not await self.is_over():
            return message
        await self.closed()  # else the handler's own close would come first
        return WS_CLOSED_MESSAGE

    async def write(self, data: Any) -> None:
        """Stand in for the stream's own.

        Raises:
            OSError: the session is over.
        """
        if await self.is_over():
            raise OSError("the session is over, and what it had open is closed")
        await self._write(data)

    async def _close_response(self, fate: Fate) -> None:
        response: web.StreamResponse | web.WebSocketResponse[bool] = self.response
        if isinstance(response, web.WebSocketResponse):
            await response.close(code=close_code(fate), message=fate.value.encode())
        else:
            await response.write_eof()


async def _awaited(look: Coroutine[Any, Any, bool]) -> bool:
    return await look


def _take_back(request: web.Request, response: web.StreamResponse) -> None:
    """Make room for another response: aiohttp has set its writer up for this one already."""
    writer: Any = request.writer
    writer.chunked, writer.length, writer._compress = False, None, None
    cast("Any", response)._payload_writer = None  # who writes on is told that nothing has begun
