"""Services that ask for an access token, under ASGI and WSGI (RFC 6750; R-024, R-092, R-101)."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any

import litestar
import pytest
from a2wsgi import WSGIMiddleware
from fastapi import Depends, FastAPI
from flask import Flask
from flask import request as flask_request
from litestar.middleware import DefineMiddleware
from quart import Quart
from quart import request as quart_request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from coatcheck import BlockingSessions, MemoryStore, Sessions, Token
from coatcheck.errors import ConfigurationError, StoreUnavailable, Unauthenticated
from coatcheck.testing import Clock
from coatcheck.tokens import Issuer, Verifier
from coatcheck.web import wsgi as of_wsgi
from coatcheck.web.access import asgi, refusal, wsgi
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.environ import Environ
from coatcheck.web.fastapi import CurrentClaims
from tests.tokens.forge import NOW, forge, issuer_by, signing, verifier_by
from tests.web.app import shop
from tests.web.client import Client, Reply

KEYS = signing("ES256")
REFUSED = 'Bearer error="invalid_token"'
Ask = Callable[..., Awaitable[Reply]]
"""Asks for a path with headers and the middleware's options."""


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW * 1_000)


@pytest.fixture
def verifier(clock: Clock) -> Verifier:
    return verifier_by(clock, KEYS)


@pytest.fixture
def issuer(clock: Clock) -> Issuer:
    return issuer_by(clock, KEYS)


@pytest.fixture
def blocking(clock: Clock) -> BlockingSessions:
    return BlockingSessions(MemoryStore(), clock=clock, on_event=lambda _: None)


@pytest.fixture
def opaque(blocking: BlockingSessions) -> Token:
    session = blocking.open(None)
    session.sign_in("alice")
    token = blocking.commit(session).token
    assert token is not None
    return token


@pytest.fixture
def token(blocking: BlockingSessions, opaque: Token, issuer: Issuer) -> str:
    return issuer.issue(blocking.open(opaque), {"roles": ["clerk"]}).reveal()


def bearer(token: str, scheme: str = "Bearer") -> list[tuple[str, str]]:
    return [("authorization", f"{scheme} {token}")]


async def orders(request: Request) -> Response:
    claims = asgi.claims_of(request)
    return JSONResponse({"subject": claims.subject, **claims.extra})


async def pay(request: Request) -> Response:
    asgi.claims_of(request).require(level=2, max_age="5m")
    return JSONResponse("paid")


async def broken(_: Request) -> Response:
    raise LookupError("the application's own")


async def socket(websocket: WebSocket) -> None:
    subject = asgi.claims_of(websocket).subject
    await websocket.accept()
    await websocket.send_text(subject)
    await websocket.close()


def starlette() -> Any:
    routes = [Route(f"/{each.__name__}", each) for each in (orders, pay, broken)]
    return Starlette(routes=[*routes, WebSocketRoute("/socket", socket)])


def fastapi() -> Any:
    app = FastAPI()

    def of_rich(claims: CurrentClaims) -> str:
        return claims.require(level=2, max_age="5m")

    @app.get("/orders")
    async def _(claims: CurrentClaims) -> dict[str, Any]:
        return {"subject": claims.subject, **claims.extra}

    @app.get("/pay")
    async def _(user: Annotated[str, Depends(of_rich)]) -> str:
        return f"{user} paid"

    @app.get("/broken")
    async def _() -> None:
        raise LookupError("the application's own")

    return app


def plain(environ: Environ, start: Any) -> Iterable[bytes]:
    """A WSGI application."""
    path, said = environ["PATH_INFO"], b'"paid"'
    if path == "/broken":
        raise LookupError("the application's own")
    claims = wsgi.claims_of(environ)
    if path == "/pay":
        claims.require(level=2, max_age="5m")
    else:
        said = json.dumps({"subject": claims.subject, **claims.extra}).encode()
    start("200 OK", [("Content-Type", "application/json")])
    return [said]


@pytest.fixture(params=["starlette", "fastapi", "wsgi"])
def ask(request: pytest.FixtureRequest, verifier: Verifier) -> Ask:
    async def ask(path: str, headers: Any = (), **options: Any) -> Reply:
        if request.param == "wsgi":
            served: Any = wsgi.AccessTokenMiddleware(plain, verifier=verifier, **options)
            adapted: Any = WSGIMiddleware(served)
            return await Client(adapted).get(path, headers)
        if "sessions" in options:
            options["sessions"] = Sessions(
                options["sessions"].inner.store, clock=options["sessions"].inner._clock.now
            )
        app = {"starlette": starlette, "fastapi": fastapi}[request.param]()
        app.add_middleware(asgi.AccessTokenMiddleware, verifier=verifier, **options)
        return await Client(app).get(path, headers)

    return ask


async def test_who_has_a_token_is_known(ask: Ask, token: str) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        reply = await ask("/orders", bearer(token, scheme))
        assert (reply.status, reply.json()) == (200, {"subject": "alice", "roles": ["clerk"]})


async def test_nothing_is_answered_without_one(ask: Ask) -> None:
    """RFC 6750 3.1: no error is named to who tried nothing. Fails when a route can be forgotten."""
    for path in ("/orders", "/broken", "/nowhere"):
        for headers in ([], [("authorization", "Basic YTpi")]):
            reply = await ask(path, headers)
            assert (reply.status, reply.all("www-authenticate")) == (401, ["Bearer"])
            assert reply.get("cache-control") == "no-store"


async def test_a_bad_one_is_refused_and_nobody_is_told_why(
    ask: Ask, token: str, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 6750 3.1. The log tells, without the token."""
    caplog.set_level("INFO", "coatcheck")
    for presented in (token[:-3], "", "x", f"{token} {token}", f"{token},{token}"):
        reply = await ask("/orders", bearer(presented))
        assert (reply.status, reply.all("www-authenticate")) == (401, [REFUSED])
    clock.move(minutes=6)
    before, reply = reply, await ask("/orders", bearer(token))
    assert reply == before
    assert "the access token is refused: it expired" in caplog.text
    assert token[:30] not in caplog.text


async def test_a_token_of_the_session_itself_is_no_access_token(ask: Ask, opaque: Token) -> None:
    """R-090."""
    assert (await ask("/orders", bearer(opaque.reveal()))).status == 401


async def test_two_authorizations_are_no_authorization(ask: Ask, token: str) -> None:
    """R-101. Fails when the first, or the last, counts."""
    for other in ("Bearer x", "Basic YTpi", f"Bearer {token[:-1]}"):
        for headers in (
            [*bearer(token), ("authorization", other)],
            [("authorization", other), *bearer(token)],
        ):
            assert (await ask("/orders", headers)).status == 401


async def test_a_token_in_the_address_is_not_seen(ask: Ask, token: str) -> None:
    """R-101, R-006."""
    reply = await ask(f"/orders?access_token={token}")
    assert (reply.status, reply.all("www-authenticate")) == (401, ["Bearer"])


async def test_where_it_may_be_left_out_a_bad_one_is_refused_all_the_same(
    ask: Ask, token: str
) -> None:
    reply = await ask("/orders", optional=True)
    assert (reply.status, reply.all("www-authenticate")) == (401, ["Bearer"]), "the route asks"
    assert (await ask("/orders", bearer(token), optional=True)).status == 200
    reply = await ask("/orders", bearer(token[:-3]), optional=True)
    assert (reply.status, reply.all("www-authenticate")) == (401, [REFUSED])


async def test_a_route_that_asks_for_more_says_what(ask: Ask, token: str) -> None:
    """RFC 9470 3."""
    reply = await ask("/pay", bearer(token))
    assert reply.status == 401
    assert reply.all("www-authenticate") == [
        'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age="300"'
    ]


async def test_errors_of_the_application_stay_its_own(ask: Ask, token: str) -> None:
    reply = await ask("/broken", bearer(token))
    assert isinstance(reply.error, LookupError)


async def test_where_the_store_is_asked_an_end_counts_at_once(
    ask: Ask, token: str, opaque: Token, blocking: BlockingSessions
) -> None:
    """R-024, R-092. Without it the token is good until it expires."""
    assert (await ask("/orders", bearer(token), sessions=blocking)).status == 200
    session = blocking.open(opaque)
    session.end()
    blocking.commit(session)
    reply = await ask("/orders", bearer(token), sessions=blocking)
    assert (reply.status, reply.all("www-authenticate")) == (401, [REFUSED])
    assert (await ask("/orders", bearer(token))).status == 200


class Away(MemoryStore):
    """A store that does not answer."""

    async def load(self, id: str, /) -> Any:
        raise StoreUnavailable("it is away")


async def test_a_store_that_is_away_lets_nobody_in_and_out(
    ask: Ask, token: str, clock: Clock
) -> None:
    """Fails when an outage is an end, or none."""
    away = BlockingSessions(Away(), clock=clock, on_event=lambda _: None)
    reply = await ask("/orders", bearer(token), sessions=away)
    assert (reply.status, reply.get("retry-after")) == (503, "2")


async def test_a_token_that_names_no_session_does_not_stand_where_it_is_asked_for(
    ask: Ask, blocking: BlockingSessions
) -> None:
    reply = await ask("/orders", bearer(forge(KEYS.first)), sessions=blocking)
    assert reply.status == 401
    assert (await ask("/orders", bearer(forge(KEYS.first)))).status == 200


async def test_a_websocket_opens_with_a_token_and_not_without(
    verifier: Verifier, token: str
) -> None:
    app = asgi.AccessTokenMiddleware(starlette(), verifier=verifier)
    for headers, expected in ((bearer(token), "websocket.accept"), ([], "websocket.close")):
        incoming = iter([{"type": "websocket.connect"}])
        sent: list[Any] = []

        async def receive(incoming: Any = incoming) -> Any:
            message = next(incoming, None)
            return message or await asyncio.Event().wait()

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/socket",
            "query_string": b"",
            "headers": [(n.encode(), v.encode()) for n, v in headers],
        }
        await app(scope, receive, send)
        assert sent[0]["type"] == expected


@pytest.mark.parametrize("value", ["Bearer", "Bearer\tx", "Basic x, Bearer y", "bearer"])
async def test_where_it_may_be_left_out_nothing_like_one_is_taken_for_none(
    ask: Ask, value: str
) -> None:
    reply = await ask("/orders", [("authorization", value)], optional=True)
    assert (reply.status, reply.all("www-authenticate")) == (401, [REFUSED])


async def test_what_is_no_request_is_not_let_through(verifier: Verifier) -> None:
    app = asgi.AccessTokenMiddleware(starlette(), verifier=verifier)
    nothing: Any = None
    with pytest.raises(RuntimeError, match="no access token comes with a webtransport"):
        await app({"type": "webtransport", "headers": []}, nothing, nothing)


async def test_a_refused_request_changes_no_session(
    verifier: Verifier, token: str, clock: Clock
) -> None:
    """Fails when the answer of the inner middleware is one that the outer one saves by."""
    store = MemoryStore()
    sessions = Sessions(store, clock=clock, on_event=lambda _: None)

    async def change(request: Request) -> Response:
        request.session["n"] = 1
        asgi.claims_of(request).require(level=3)
        return Response()

    inner = Starlette(routes=[Route("/change", change)])
    inner.add_middleware(asgi.AccessTokenMiddleware, verifier=verifier)
    inner.add_middleware(SessionMiddleware, sessions=sessions)
    reply = await Client(inner).get("/change", bearer(token))
    assert (reply.status, reply.cookies, await store.count(None)) == (401, [], 0)


async def test_a_refused_request_changes_no_session_under_wsgi(
    verifier: Verifier, token: str, blocking: BlockingSessions
) -> None:
    def change(environ: Environ, _: Any) -> Iterable[bytes]:
        of_wsgi.session_of(environ)["n"] = 1
        wsgi.claims_of(environ).require(level=3)
        return []

    inner: Any = wsgi.AccessTokenMiddleware(change, verifier=verifier)
    outer: Any = of_wsgi.SessionMiddleware(inner, sessions=blocking)
    adapted: Any = WSGIMiddleware(outer)
    before = blocking.count()
    reply = await Client(adapted).get("/change", bearer(token))
    assert (reply.status, reply.cookies, blocking.count()) == (401, [], before)


async def test_a_session_and_a_token_may_both_be_there(
    verifier: Verifier, token: str, clock: Clock
) -> None:
    """One application for pages, with another one below it for its API."""
    sessions = Sessions(MemoryStore(), clock=clock, on_event=lambda _: None)
    app = FastAPI()
    app.mount("/api", asgi.AccessTokenMiddleware(starlette(), verifier=verifier))
    app.mount("/", shop(sessions))
    client = Client(app)
    assert (await client.post("/login")).status == 200
    assert (await client.get("/me")).status == 200
    assert (await client.get("/api/orders")).status == 401
    assert (await client.get("/api/orders", bearer(token))).json()["subject"] == "alice"
    around = Client(SessionMiddleware(app, sessions=sessions))
    reply = await around.get("/api/orders")
    assert (reply.status, reply.all("www-authenticate")) == (401, ["Bearer"])


def test_claims_are_asked_for_behind_the_middleware_only() -> None:
    with pytest.raises(RuntimeError, match="put coatcheck's AccessTokenMiddleware around"):
        wsgi.claims_of({})


def test_wrong_settings_stop_the_start(verifier: Verifier, blocking: BlockingSessions) -> None:
    wrong: Any = blocking
    with pytest.raises(ConfigurationError, match="sessions: a BlockingSessions is no Sessions"):
        asgi.AccessTokenMiddleware(starlette(), verifier=verifier, sessions=wrong)
    wrong = Sessions(MemoryStore())
    with pytest.raises(ConfigurationError, match="sessions: WSGI needs BlockingSessions"):
        wsgi.AccessTokenMiddleware(plain, verifier=verifier, sessions=wrong)
    wrong = KEYS
    with pytest.raises(ConfigurationError, match="verifier: a SigningKeys is no Verifier"):
        asgi.AccessTokenMiddleware(starlette(), verifier=wrong)


async def test_a_wrong_setting_stops_a_server_that_runs_already() -> None:
    """Starlette makes its middleware when the server starts it."""
    app = starlette()
    app.add_middleware(asgi.AccessTokenMiddleware, verifier=KEYS)
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        said.append(message)

    with pytest.raises(ConfigurationError):
        await app({"type": "lifespan", "app": app, "state": {}}, receive, send)
    assert said == [
        {
            "type": "lifespan.startup.failed",
            "message": "coatcheck: verifier: a SigningKeys is no Verifier",
        }
    ]


async def refused_by_flask(verifier: Verifier) -> Reply:
    app = Flask(__name__)
    app.register_error_handler(Unauthenticated, refusal)
    served: Any = wsgi.AccessTokenMiddleware(app.wsgi_app, verifier=verifier, optional=True)
    adapted: Any = WSGIMiddleware(served)

    @app.get("/orders")
    def _() -> str:
        return wsgi.claims_of(flask_request.environ).subject

    return await Client(adapted).get("/orders")


async def refused_by_quart(verifier: Verifier) -> Reply:
    app = Quart(__name__)
    app.register_error_handler(Unauthenticated, refusal)

    @app.get("/orders")
    async def _() -> str:
        return asgi.claims_of(quart_request).subject

    around: Any = app
    around.asgi_app = asgi.AccessTokenMiddleware(around.asgi_app, verifier=verifier, optional=True)
    return await Client(around).get("/orders")


async def refused_by_litestar(verifier: Verifier) -> Reply:
    @litestar.get("/orders", sync_to_thread=False)
    def orders(request: litestar.Request[Any, Any, Any]) -> str:
        return asgi.claims_of(request).subject

    def refuse(_: Any, error: Unauthenticated) -> litestar.Response[bytes]:
        body, status, headers = refusal(error)
        return litestar.Response(body, status_code=status, headers=headers)

    ours: Any = asgi.AccessTokenMiddleware
    app: Any = litestar.Litestar(
        [orders],
        middleware=[DefineMiddleware(ours, verifier=verifier, optional=True)],
        exception_handlers={Unauthenticated: refuse},
    )
    return await Client(app).get("/orders")


@pytest.mark.parametrize("ask", [refused_by_flask, refused_by_quart, refused_by_litestar])
async def test_frameworks_that_handle_errors_themselves_are_given_the_answer(
    ask: Callable[[Verifier], Awaitable[Reply]], verifier: Verifier
) -> None:
    """Fails when a route that is for nobody but users is answered with 500 there."""
    reply = await ask(verifier)
    assert (reply.status, reply.all("www-authenticate")) == (401, ["Bearer"])
    assert json.loads(reply.body)["error"].startswith("an access token is needed")


def test_the_answer_is_to_errors_of_tokens_only() -> None:
    assert refusal(StoreUnavailable("away"))[1] == 503
    with pytest.raises(TypeError, match="ValueError is no error of an access token"):
        refusal(ValueError("what"))
