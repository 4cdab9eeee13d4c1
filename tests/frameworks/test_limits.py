"""A sign-in over the limit, as each kind of adapter answers it."""

from flask import Flask
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from coatcheck import AtLimit, BlockingSessions, MemoryStore, Policy, Sessions
from coatcheck.web.asgi import SessionMiddleware
from coatcheck.web.asgi import session_of as asgi_session
from coatcheck.web.flask import SessionInterface
from coatcheck.web.flask import session_of as flask_session

ONE = Policy(max_sessions=1, at_limit=AtLimit.REFUSE)
ERROR = "you are signed in as often as is allowed: log out somewhere else, then log in again"


def test_in_asgi() -> None:
    async def login(request: Request) -> PlainTextResponse:
        asgi_session(request).sign_in("alice")
        return PlainTextResponse("hello")

    sessions = Sessions(MemoryStore(), policy=ONE)
    wrapped = Middleware(SessionMiddleware, sessions=sessions)
    app = Starlette(routes=[Route("/", login)], middleware=[wrapped])
    assert TestClient(app, "https://shop.test").get("/").status_code == 200
    answer = TestClient(app, "https://shop.test").get("/")
    assert (answer.status_code, answer.json()) == (403, {"error": ERROR})
    assert "set-cookie" not in answer.headers


def test_in_flask() -> None:
    app = Flask(__name__)
    SessionInterface(app, BlockingSessions(MemoryStore(), policy=ONE))

    @app.get("/")
    def login() -> str:
        flask_session().sign_in("alice")
        return "hello"

    here = {"base_url": "https://shop.test"}
    assert app.test_client().get("/", **here).status_code == 200
    answer = app.test_client().get("/", **here)
    assert (answer.status_code, answer.json) == (403, {"error": ERROR})
    assert "set-cookie" not in answer.headers
