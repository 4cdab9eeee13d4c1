"""What who must prove more is answered: a challenge, or the way to a page and back (RFC 9470)."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from coatcheck import MemoryStore, Sessions
from coatcheck.errors import ConfigurationError, StepUpRequired
from coatcheck.testing import Clock, log_in
from coatcheck.web import BearerTransport, Gate, safe_next
from coatcheck.web.asgi import SessionMiddleware, requires
from coatcheck.web.fastapi import requires as fastapi_requires
from coatcheck.web.redirect import leading_back
from tests.web.client import Client

HTTPS = "https://shop.example"
PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


@requires(level=2, max_age="5m")
async def secret(request: Request) -> PlainTextResponse:
    return PlainTextResponse("secret")


@requires(level=2)
def in_a_thread(request: Request) -> PlainTextResponse:
    return PlainTextResponse("secret")


async def step_up(request: Request) -> PlainTextResponse:
    session: Any = request.session
    session.step_up(2)
    return PlainTextResponse(safe_next(request.query_params.get("next")))


ROUTES = [
    Route("/secret", secret, methods=["GET", "POST"]),
    Route("/thread", in_a_thread),
    Route("/step-up", step_up, methods=["POST"]),
]


def serve(sessions: Sessions, **options: Any) -> TestClient:
    app = Starlette(routes=[*ROUTES, Mount("/shop", routes=ROUTES)])
    app.add_middleware(SessionMiddleware, sessions=sessions, **options)
    return TestClient(app, HTTPS, follow_redirects=False)


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(MemoryStore(), clock=Clock())


@pytest.fixture
def client(sessions: Sessions) -> TestClient:
    client = serve(sessions, step_up_url="/step-up")
    log_in(client, sessions, "alice")
    return client


def test_without_a_page_everybody_gets_the_challenge(sessions: Sessions) -> None:
    client = serve(sessions)
    log_in(client, sessions, "alice")
    answer = client.get("/secret", headers=PAGE)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Cookie error=")
    assert "set-cookie" not in answer.headers


def test_a_visitor_gets_no_challenge_and_no_page(sessions: Sessions) -> None:
    """Who is not signed in at all has to log in. Fails when step-up is taken for login."""
    answer = serve(sessions, step_up_url="/step-up").get("/secret", headers=PAGE)
    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers


def test_a_bearer_gets_it_in_its_own_scheme(sessions: Sessions) -> None:
    transport = BearerTransport()
    client = serve(sessions, transport=transport, step_up_url="/step-up")
    headers = log_in(None, sessions, "alice", transport=transport)
    answer = client.get("/secret", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age="300"'
    )
    assert client.get("/thread", headers=headers).headers["www-authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="aal2"'
    )
    assert client.get("/secret").headers["www-authenticate"] == "Bearer"


def test_a_page_leads_to_the_step_up_and_back(client: TestClient) -> None:
    answer = client.get("/secret?id=7&x=%26%20%C3%A9", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "private"
    assert answer.headers["vary"] == "Cookie"
    location = answer.headers["location"]
    assert location == "/step-up?next=/secret%3Fid%3D7%26x%3D%2526%2520%25C3%25A9"
    assert client.post(location).text == "/secret?id=7&x=%26%20%C3%A9"
    assert client.get("/secret", headers=PAGE).text == "secret"


def test_a_mount_is_part_of_the_way_back(client: TestClient) -> None:
    location = client.get("/shop/secret", headers=PAGE).headers["location"]
    assert location == "/step-up?next=/shop/secret"


async def test_the_path_of_a_mounted_application_is_part_of_the_way_back(
    sessions: Sessions,
) -> None:
    """Fails when the way back is that below the mount."""
    gate = Gate(sessions, step_up_url="/step-up")
    headers = [(b"sec-fetch-mode", b"navigate")]
    exchange = await gate.enter(headers, None, "https", "/secret", "/shop/", method="GET")
    answer = exchange.answer(StepUpRequired(2, None))
    assert answer is not None
    assert dict(answer.headers)[b"location"] == b"/step-up?next=/shop/secret"


def test_a_form_is_not_to_be_repeated_by_a_link(client: TestClient) -> None:
    answer = client.post("/secret", headers={**PAGE, "Origin": HTTPS})
    assert (answer.status_code, answer.headers["location"]) == (303, "/step-up")


def test_nor_is_one_of_a_browser_that_sends_no_origin(client: TestClient) -> None:
    """Fails when only what a browser says of a form is looked at, and not the method."""
    answer = client.post("/secret", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/step-up")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "application/json"}, 401),
        ({"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, 401),
        ({"Accept": "text/html,application/xhtml+xml"}, 303),
        ({"Sec-Fetch-Mode": "navigate"}, 303),
    ],
)
def test_only_a_page_is_led_away(headers: dict[str, str], status: int, client: TestClient) -> None:
    assert client.get("/secret", headers=headers).status_code == status


ELSEWHERE = [
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example",
    "\\\\evil.example", "\\/evil.example", "/\t/evil.example", "/\n/evil.example",
    "\t//evil.example",
    " //evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example", "",
    "/x\r\nSet-Cookie: a=b", "/\u2044/evil.example", "/é", "http:evil.example", "?next=//evil",
    "/a\\..\\..\\evil", "/\x00/evil.example", "/ /evil.example",
]  # fmt: skip


@pytest.mark.parametrize("target", [*ELSEWHERE, None])
def test_nobody_is_led_to_another_site(target: str | None) -> None:
    assert safe_next(target) == "/"
    assert safe_next(target, "/account") == "/account"


@pytest.mark.parametrize(
    "target", ["/", "/orders/7?a=b&c=%2F%2Fevil#x", "/@evil", "/a//b", "/.//x"]
)
def test_a_path_of_this_site_is_fine(target: str) -> None:
    assert safe_next(target) == target


@given(st.text(alphabet="/\\.:@?#ahtp \t\r\n%2Fé", max_size=12))
def test_whatever_is_let_through_stays_here(target: str) -> None:
    """As browsers read it: tabs and line ends are left out, backslashes are slashes."""
    read = "".join(c for c in safe_next(target).strip() if c not in "\t\r\n").replace("\\", "/")
    assert urlsplit(urljoin(f"{HTTPS}/step-up", read))[:2] == ("https", "shop.example")


@pytest.mark.parametrize(
    ("path", "back"),
    [("//evil.example/secret", None), ("/\\evil.example", ["/%5Cevil.example"])],
)
def test_a_request_for_another_sites_path_leads_to_no_way_back(
    path: str, back: list[str] | None
) -> None:
    """Fails when the request's own path, which anybody can choose, is trusted."""
    headers = [(b"sec-fetch-mode", b"navigate")]
    page = leading_back("/step-up", headers, path, "")
    assert page is not None
    assert parse_qs(urlsplit(page).query).get("next") == back
    assert safe_next("/%5Cevil.example", "") == "/%5Cevil.example"


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/secret/caf\udce9", "/step-up?next=/secret/caf%25E9"),  # as PEP 383 keeps a byte
        ("/secret/\ud800", "/step-up"),
    ],
)
async def test_a_path_that_is_no_unicode_is_no_error(
    path: str, location: str, sessions: Sessions
) -> None:
    """Fails when the path is taken for text that can be encoded: that is a 500."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise StepUpRequired(2, None)

    inner = SessionMiddleware(app, sessions=sessions, step_up_url="/step-up")

    async def server(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "path": path}, receive, send)

    answer = await Client(server).get("/", [("sec-fetch-mode", "navigate")])
    assert (answer.status, answer.get("location")) == (303, location)


@pytest.mark.parametrize(
    "url", ["step-up", "//evil.example", "https://evil.example", "/a#b", "", 7]
)
def test_a_page_that_is_none_stops_the_start(url: Any, sessions: Sessions) -> None:
    with pytest.raises(ConfigurationError, match="step_up_url"):
        Gate(sessions, step_up_url=url)


@pytest.mark.parametrize("wrong", [{"level": 0}, {"max_age": "soon"}])
def test_a_wrong_requirement_stops_the_start(wrong: dict[str, Any]) -> None:
    for make in (requires, fastapi_requires):
        with pytest.raises(ConfigurationError):
            make(**wrong)


def test_a_dependency_of_fastapi_is_the_user(sessions: Sessions) -> None:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)

    @app.get("/secret")
    async def secret(user: Annotated[str, fastapi_requires(level=2, max_age="5m")]) -> str:  # pyright: ignore[reportUnusedFunction]
        return user

    @app.get("/too", dependencies=[fastapi_requires(level=2)])
    async def too() -> str:  # pyright: ignore[reportUnusedFunction]
        return "done"

    client = TestClient(app, HTTPS)
    assert client.get("/secret").status_code == 401
    log_in(client, sessions, "alice")
    for path in ("/secret", "/too"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert "insufficient_user_authentication" in answer.headers["www-authenticate"]
    log_in(client, sessions, "alice", assurance=2)
    assert client.get("/secret").json() == "alice"
    assert client.get("/too").json() == "done"
    assert client.get("/openapi.json").json()["paths"]["/secret"]["get"].get("parameters") is None


def test_a_decorated_view_is_what_it_was() -> None:
    """Frameworks look at names, and at whether it is a coroutine."""
    view: Callable[..., Any] = secret
    assert (view.__name__, inspect.iscoroutinefunction(view)) == ("secret", True)
    assert not inspect.iscoroutinefunction(in_a_thread)
