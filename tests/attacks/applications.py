"""The application under attack, in several frameworks, and the servers that serve it."""

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, cast

import flask
import quart
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from werkzeug.serving import WSGIRequestHandler, make_server

from coatcheck import BlockingSessions, Sessions, store_from_url
from coatcheck.waiting import finish
from coatcheck.web import GateOptions
from coatcheck.web.asgi import SessionMiddleware, session_of
from coatcheck.web.flask import SessionInterface
from coatcheck.web.quart import SessionInterface as QuartInterface
from coatcheck.web.quart import session_of as session_of_quart
from tests.attacks.pages import PAGES, Page, Visit
from tests.web.client import App, Message, Receive, Send

PROXY = "127.0.0.1"
"""The attacks come through a proxy on this machine, which has done the TLS."""
METHODS = ["GET", "POST"]


class Pause:
    """Holds a request up in the middle, until it is told to go on."""

    def __init__(self) -> None:
        self.arrived, self._may_go_on = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.arrived.set()
        assert self._may_go_on.wait(90), "the attack never let the request go on"

    def go_on(self) -> None:
        self._may_go_on.set()


class Server(ABC):
    """A server that stays while the applications behind it change.

    Attributes:
        apps: by host; what is asked of another host is asked of nobody.
        port: of 127.0.0.1.
    """

    def __init__(self) -> None:
        self.apps: dict[str, Any] = {}
        self.port = 0

    @abstractmethod
    def app(
        self, url: str, parts: dict[str, Any], pause: Pause, options: GateOptions
    ) -> tuple[Any, Sessions]:
        """Return an application with all pages, over the store of `url`, and its sessions."""

    @abstractmethod
    def run(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run asynchronous code where the sessions are used."""

    @abstractmethod
    def stop(self) -> None: ...


class _Uvicorn(Server):
    def __init__(self) -> None:
        super().__init__()
        config = uvicorn.Config(
            self._serve, interface="asgi3", lifespan="off", http="httptools", ws="wsproto",
            log_config=None, proxy_headers=False,
        )  # fmt: skip
        self._uvicorn = uvicorn.Server(config)
        self._listener = socket.create_server((PROXY, 0))
        # What is accepted inherits it; else each answer waits 40 ms for an acknowledgement.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = int(self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._uvicorn.serve([self._listener]))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        host = next(value for name, value in scope["headers"] if name == b"host")
        app: App = self.apps[host.decode()]
        await app(scope, receive, send)

    def run(self, work: Callable[[], Awaitable[object]]) -> None:
        async def do() -> None:
            await work()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(90)

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join()
        self._listener.close()


class StarletteServer(_Uvicorn):
    def app(
        self, url: str, parts: dict[str, Any], pause: Pause, options: GateOptions
    ) -> tuple[App, Sessions]:
        sessions = Sessions(store_from_url(url), **parts)

        def endpoint(page: Page) -> Callable[[Request], Awaitable[JSONResponse]]:
            async def view(request: Request) -> JSONResponse:
                # handed over without a look, as session_of() is one
                session = request.scope["session"]
                said = await page(
                    Visit(session, sessions, request.query_params, lambda: _in_thread(pause))
                )
                return JSONResponse(said.body, said.status, dict(said.headers))

            return view

        async def greet(websocket: WebSocket) -> None:
            user = session_of(websocket).require_subject()
            await websocket.accept()
            await websocket.send_text(f"hello {user}")
            async for text in websocket.iter_text():
                await websocket.send_text(f"{user}: {text}")

        routes = [
            Route(f"/{name}", endpoint(page), methods=METHODS) for name, page in PAGES.items()
        ]
        app = Starlette(
            routes=[*routes, WebSocketRoute("/socket", greet)],
            middleware=[Middleware(SessionMiddleware, sessions=sessions, **options)],
        )
        return app, sessions


class QuartServer(_Uvicorn):
    def app(
        self, url: str, parts: dict[str, Any], pause: Pause, options: GateOptions
    ) -> tuple[App, Sessions]:
        sessions = Sessions(store_from_url(url), **parts)
        app = quart.Quart("attacked")
        QuartInterface(app, sessions, **options)

        async def view(page: str) -> Any:
            request = quart.request
            current = cast("Any", quart.session)._get_current_object()
            query = request.args.to_dict()
            said = await PAGES[page](Visit(current, sessions, query, lambda: _in_thread(pause)))
            return quart.jsonify(said.body), said.status, dict(said.headers)

        async def greet() -> None:
            user = session_of_quart().require_subject()
            await quart.websocket.send(f"hello {user}")
            while True:
                text = await quart.websocket.receive()
                await quart.websocket.send(f"{user}: {text!s}")

        app.add_url_rule("/<page>", "view", view, methods=METHODS)
        app.add_websocket("/socket", "socket", greet)
        return cast("App", app), sessions


class FlaskServer(Server):
    """Flask under Werkzeug, with a thread for each connection."""

    def __init__(self) -> None:
        super().__init__()
        self._server = make_server(
            PROXY, 0, self._serve, threaded=True, request_handler=_QuietHandler
        )
        self.port = int(self._server.port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _serve(self, environ: dict[str, Any], start: Any) -> Any:
        return self.apps[environ["HTTP_HOST"]](environ, start)

    def app(
        self, url: str, parts: dict[str, Any], pause: Pause, options: GateOptions
    ) -> tuple[flask.Flask, Sessions]:
        sessions = BlockingSessions(store_from_url(url, blocking=True), **parts)
        app = flask.Flask("attacked")
        SessionInterface(app, sessions, **options)

        async def wait() -> None:
            pause.wait()

        def view(page: str) -> Any:
            session = cast("Any", flask.session)._get_current_object()
            visit = Visit(session, sessions.inner, flask.request.args, wait)
            said = finish(_run(PAGES[page], visit))
            return flask.jsonify(said.body), said.status, dict(said.headers)

        app.add_url_rule("/<page>", "view", view, methods=METHODS)
        return app, sessions.inner

    def run(self, work: Callable[[], Awaitable[object]]) -> None:
        async def do() -> None:
            await work()

        finish(do())

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        pass


async def _run(page: Page, visit: Visit) -> Any:
    return await page(visit)


async def _in_thread(pause: Pause) -> None:
    await asyncio.to_thread(pause.wait)


SERVERS: dict[str, type[Server]] = {
    "starlette": StarletteServer,
    "quart": QuartServer,
    "flask": FlaskServer,
}
