"""FastAPI, on the ASGI middleware, with its dependencies."""

from typing import Any

import pytest
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import FastAPIError
from fastapi.responses import StreamingResponse

from coatcheck import Sessions
from coatcheck.core.claims import Claims
from coatcheck.errors import ConfigurationError
from coatcheck.testing import AsgiDriver, BrowserContract, Driver, Pages
from coatcheck.web.asgi import SessionMiddleware, session_of
from coatcheck.web.fastapi import CurrentClaims, CurrentSession, CurrentUser, OptionalUser
from tests.frameworks.shop import Shop


class TestFastAPI(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        app = FastAPI()
        app.add_middleware(SessionMiddleware, sessions=Sessions(**parts))

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def page(request: Request) -> Response:
            url = request.url
            page = await pages.answer_async(url.path, url.query, lambda: session_of(request))
            if page.chunks:
                return StreamingResponse(page.chunks())
            return Response(page.body, page.status)

        return AsgiDriver(app)


def shop_of(shop: Shop) -> FastAPI:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=shop.sessions)

    @app.post("/login/{name}")
    async def login(name: str, session: CurrentSession) -> None:
        session.sign_in(name)

    @app.get("/cart")
    async def cart(session: CurrentSession) -> dict[str, Any]:
        return session

    @app.get("/me")
    async def me(user: CurrentUser) -> str:
        return user

    @app.get("/who")
    async def who(user: OptionalUser) -> str | None:
        return user

    @app.websocket("/chat")
    async def chat(socket: WebSocket, user: CurrentUser, session: CurrentSession) -> None:
        session["chats"] = True
        await socket.accept()
        await socket.send_text(user)

    return app


async def test_who_is_signed_in_is_a_dependency() -> None:
    shop = Shop()
    browser = shop.browser(shop_of(shop))
    visitor = await browser.get("/me")
    assert visitor.status == 401
    assert visitor.json() == {"error": "please log in first"}
    assert (await browser.get("/who?user=admin")).json() is None
    await browser.post("/login/alice")
    assert (await browser.get("/who?user=admin")).json() == "alice"
    assert (await browser.get("/me")).json() == "alice"
    assert (await browser.get("/cart")).json() == {}


async def test_a_socket_has_the_same_dependencies() -> None:
    shop = Shop()
    browser = shop.browser(shop_of(shop))
    assert [m["type"] for m in await browser.websocket("/chat")] == ["websocket.close"]
    await browser.post("/login/alice")
    accept, said = await browser.websocket("/chat")
    assert (accept["type"], said["text"]) == ("websocket.accept", "alice")
    assert (await browser.get("/cart")).json() == {"chats": True}


async def test_an_outage_is_answered_before_the_handler_runs() -> None:
    shop = Shop()
    browser = shop.browser(shop_of(shop))
    await browser.post("/login/alice")
    shop.spy.breaks()
    for path in ("/me", "/cart"):
        assert (await browser.get(path)).status == 503


def test_the_dependencies_are_no_parameters_of_the_api() -> None:
    paths = shop_of(Shop()).openapi()["paths"]
    for path in ("/me", "/cart"):
        assert "parameters" not in paths[path]["get"]
        assert "requestBody" not in paths[path]["get"]


@pytest.mark.parametrize(
    "annotation",
    [
        CurrentUser | None,
        CurrentSession | None,
        CurrentClaims | None,
        Claims,
        Claims | None,
    ],
    ids=["user", "session", "claims", "the class", "the class or none"],
)
def test_a_user_is_never_taken_from_the_request_itself(annotation: Any) -> None:
    """FastAPI takes a union's types from the query or the body: `?user=admin` would be the user.

    Fails when such a route can be defined.
    """
    app = FastAPI()

    async def route(user: Any) -> str:
        return str(user)

    route.__annotations__["user"] = annotation
    with pytest.raises((ConfigurationError, FastAPIError)):
        app.get("/")(route)
