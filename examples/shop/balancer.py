"""A round-robin load balancer: passes bytes on, and trusts nothing a client says about itself.

It speaks to the servers through httpx2's transport and not its client: a client would keep one
visitor's cookies for the next, follow redirects and unpack bodies; a balancer does none of it.
"""

import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Final

import httpx2
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from examples.shop.process import KEPT_OPEN, arguments, serve

RawHeaders = list[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1: these speak of one connection and end with it.
_HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
# What a client may say about its own address is worth nothing: dropped, then written anew.
_CLAIMS: Final = frozenset(
    b"forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port"
    b" x-forwarded-prefix x-real-ip".split()
)
_BODY: Final = frozenset((b"content-length", b"transfer-encoding"))  # either announces one
_TIMEOUT: Final = {"connect": 1.0, "read": 30.0, "write": 30.0, "pool": 5.0}


class ClientGoneError(Exception):
    """The client hung up before its request was complete."""


class Balancer:
    """An ASGI app that hands each request to the next of `servers` (base URLs), in turn.

    A server that cannot be reached is skipped. A request that reached one is never sent again: it
    may have been carried out.
    """

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = tuple(servers)
        self._turn = itertools.count()
        # A connection is let go before the server does it: a request must not meet a closed one.
        limits = httpx2.Limits(max_connections=None, keepalive_expiry=KEPT_OPEN / 2)
        self._transport = httpx2.AsyncHTTPTransport(limits=limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through the process's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._transport.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._forward(scope, receive)
        except ClientGoneError:
            return
        except httpx2.TransportError as failure:
            status = 504 if isinstance(failure, httpx2.ReadTimeout) else 502
            refusal = JSONResponse({"error": "no shop server answered"}, status_code=status)
            await refusal(scope, receive, send)
        else:
            await _relay(response, send)

    async def _forward(self, scope: Scope, receive: Receive) -> httpx2.Response:
        """Return the first answer; raises httpx2.ConnectError when every server is down."""
        first = next(self._turn) % len(self._servers)
        *others, last = self._servers[first:] + self._servers[:first]
        for server in others:
            try:
                return await self._ask(server, scope, receive)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._ask(last, scope, receive)

    async def _ask(self, server: str, scope: Scope, receive: Receive) -> httpx2.Response:
        query: bytes = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        content = _body(receive) if _BODY & dict(scope["headers"]).keys() else None
        extras = {"target": target, "timeout": _TIMEOUT}
        request = httpx2.Request(
            scope["method"], server, headers=_onward(scope), content=content, extensions=extras
        )
        return await self._transport.handle_async_request(request)


def _onward(scope: Scope) -> RawHeaders:
    """Return the request's headers with our own word on where it comes from."""
    headers = _end_to_end(scope["headers"], also_drop=_CLAIMS)
    host = next((value for name, value in headers if name == b"host"), b"")
    address = scope["client"][0] if scope["client"] else "unknown"
    return [
        *headers,
        (b"x-forwarded-for", address.encode("ascii")),
        (b"x-forwarded-proto", scope["scheme"].encode("ascii")),
        (b"x-forwarded-host", host),
    ]


def _end_to_end(raw: RawHeaders, also_drop: frozenset[bytes] = frozenset()) -> RawHeaders:
    """Keep what is meant for the other end, each header in its own line and order: none merged."""
    headers = [(name.lower(), value) for name, value in raw]
    listed = b",".join(value for name, value in headers if name == b"connection")
    drop = _HOP_BY_HOP | also_drop | {name.strip().lower() for name in listed.split(b",")}
    return [(name, value) for name, value in headers if name not in drop]


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _relay(response: httpx2.Response, send: Send) -> None:
    headers = _end_to_end(response.headers.raw)
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    try:
        async for chunk in response.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})
    finally:
        await response.aclose()


def main() -> None:
    """Run one balancer process until it is told to stop."""
    parser = arguments("The shop's load balancer.")
    parser.add_argument("servers", nargs="+", metavar="URL")
    options = parser.parse_args()
    serve(Balancer(options.servers), port=options.port, leashed=options.leashed, date_header=False)


if __name__ == "__main__":
    main()
