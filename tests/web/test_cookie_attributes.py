"""What `Set-Cookie` says, and the settings that are refused because a browser would refuse them."""

from datetime import timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from coatcheck import MemoryStore, Policy, Sessions
from coatcheck.errors import ConfigurationError
from coatcheck.testing import Clock
from coatcheck.web import CookieTransport
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.web.app import shop
from tests.web.client import HOST, Client
from tests.web.jar import Jar

BARE: dict[str, Any] = {"name": "sid", "anonymous_name": "visitor"}


def split(line: str) -> tuple[str, str, list[str]]:
    """Return name, value and attributes."""
    pair, *attributes = line.split("; ")
    name, _, value = pair.partition("=")
    return name, value, attributes


async def test_the_default_cookie_is_host_bound_secure_and_nothing_more(browser: Client) -> None:
    """R-047, R-054: each attribute once, no `Domain`, no lifetime.

    Fails when `Secure`, `HttpOnly` or `SameSite` is left out of `_attributes`.
    """
    (line,) = (await browser.post("/login")).cookies
    name, value, attributes = split(line)
    assert (name, len(value)) == ("__Host-sid", 89)
    assert attributes == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]


async def test_a_visitors_cookie_differs_in_its_name_only(browser: Client) -> None:
    (line,) = (await browser.post("/write")).cookies
    name, _, attributes = split(line)
    assert name == "__Host-anon"
    assert attributes == ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]


async def test_names_tell_nothing_about_who_made_them(browser: Client) -> None:
    """R-008."""
    reply = await browser.post("/login")
    assert reply.get("server") is None
    assert reply.get("x-powered-by") is None
    assert "coat" not in reply.cookies[0].partition("=")[0].lower()


@pytest.mark.parametrize("other", ["alice@example.com", "bob@example.com"])
async def test_the_value_is_opaque(sessions: Sessions, other: str) -> None:
    """R-007: two cookies of one user, or of two, have no five characters in common."""
    values = [
        split((await Client(shop(sessions)).post(f"/login?as={subject}")).cookies[0])[1]
        for subject in ("alice@example.com", other)
    ]
    pieces = [{value[i : i + 5] for i in range(len(value) - 4)} for value in values]
    assert not pieces[0] & pieces[1]


@pytest.mark.parametrize(
    ("settings", "attributes"),
    [
        ({"same_site": "Strict"}, ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]),
        ({"same_site": "None"}, ["Path=/", "Secure", "HttpOnly", "SameSite=None"]),
        (
            {"same_site": "None", "partitioned": True},
            ["Path=/", "Secure", "HttpOnly", "SameSite=None", "Partitioned"],
        ),
        ({"http_only": False}, ["Path=/", "Secure", "SameSite=Lax"]),
        (
            {"max_age": timedelta(hours=2)},
            ["Path=/", "Max-Age=7200", "Secure", "HttpOnly", "SameSite=Lax"],
        ),
        (BARE | {"path": "/shop"}, ["Path=/shop", "Secure", "HttpOnly", "SameSite=Lax"]),
        (
            BARE | {"domain": "example.com"},
            ["Path=/", "Domain=example.com", "Secure", "HttpOnly", "SameSite=Lax"],
        ),
        (
            {"name": "__Secure-sid", "anonymous_name": "__Secure-v", "domain": "example.com"},
            ["Path=/", "Domain=example.com", "Secure", "HttpOnly", "SameSite=Lax"],
        ),
        ({"name": "__Host-Http-sid"}, ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"]),
        (
            {"name": "__Http-sid", "anonymous_name": "__Http-v", "path": "/shop"},
            ["Path=/shop", "Secure", "HttpOnly", "SameSite=Lax"],
        ),
    ],
    ids=str,
)
async def test_settings_become_attributes(
    sessions: Sessions, settings: dict[str, Any], attributes: list[str]
) -> None:
    """R-048, R-054, R-056."""
    browser = Client(shop(sessions, transport=CookieTransport(**settings)))
    (line,) = (await browser.post("/login")).cookies
    assert split(line)[2] == attributes
    assert browser.jar.refused == []


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"domain": "example.com"}, "domain"),
        ({"path": "/shop"}, "path"),
        ({"secure": False}, "secure"),
        ({"anonymous_name": "__Host-sid"}, "anonymous_name"),
        ({"anonymous_name": "__Secure-sid"}, "anonymous_name"),
        ({"name": "__Host-"}, "name"),
        ({"name": "__Host-__Secure-sid"}, "name"),
        ({"name": "__Secure-sid", "anonymous_name": "a", "secure": False}, "secure"),
        ({"name": "__Host-Http-sid", "http_only": False}, "http_only"),
        ({"name": "__Http-sid", "anonymous_name": "a", "http_only": False}, "http_only"),
        ({"name": "__Http-sid", "anonymous_name": "a", "secure": False}, "secure"),
        ({"name": "__host-sid"}, "name"),
        ({"name": "__HOST-sid"}, "name"),
        ({"name": "__secure-sid"}, "name"),
        ({"anonymous_name": "__host-http-anon"}, "anonymous_name"),
        ({"name": "sid", "path": "/shop"}, "path"),
        (BARE | {"secure": False, "same_site": "None"}, "same_site"),
        (BARE | {"secure": False, "partitioned": True}, "partitioned"),
        ({"same_site": "lax"}, "same_site"),
        ({"max_age": timedelta(days=400, seconds=1)}, "max_age"),
        ({"max_age": timedelta(milliseconds=999)}, "max_age"),
        ({"max_age": timedelta(seconds=-1)}, "max_age"),
        ({"name": ""}, "name"),
        ({"name": "s" * 4008}, "name"),
        (BARE | {"path": "/" + "p" * 1024}, "path"),
        (BARE | {"path": "shop"}, "path"),
        (BARE | {"path": ""}, "path"),
    ],
    ids=str,
)
def test_an_impossible_combination_is_refused_by_name(
    settings: dict[str, Any], setting: str
) -> None:
    """R-048, R-049, R-054, R-055: at construction, not by a cookie that a browser drops.

    Fails when any of the checks in `__post_init__` or `_check_name` is taken out.
    """
    with pytest.raises(ConfigurationError) as refusal:
        CookieTransport(**settings)
    assert refusal.value.setting == setting
    assert str(refusal.value).startswith(setting)


@pytest.mark.parametrize(
    "domain",
    [
        "co.uk", "github.io", "com", "localhost", "intranet", "127.0.0.1", "192.0.2.1", "::1",
        "[::1]", "Example.com", "EXAMPLE.COM", ".example.com", "example.com.", "example..com",
        "-a.example.com", "a-.example.com", "a_b.example.com", "exämple.com", "*.example.com",
        "a" * 64 + ".com", "example.com:443", "", "a." * 127 + "com",
    ],
)  # fmt: skip
def test_a_domain_that_is_no_domain_or_everybodys_is_refused(domain: str) -> None:
    """R-051: public suffixes, addresses, single labels, upper case.

    Fails when the look into the list of public suffixes is taken out (`co.uk`, `github.io`), the
    look for addresses (`192.0.2.1`), or the pattern (`-a.example.com`).
    """
    with pytest.raises(ConfigurationError) as refusal:
        CookieTransport("sid", "visitor", domain=domain)
    assert refusal.value.setting == "domain"


@pytest.mark.parametrize("setting", ["name", "anonymous_name", "path", "domain", "same_site"])
@pytest.mark.parametrize(
    "evil", ["a\r\nX: y", "a\n", "a; Domain=evil.example", "a b", "a\x00", "a\x7f", "a\té", "a,b c"]
)
def test_no_setting_injects_anything(setting: str, evil: str) -> None:
    """R-064. Fails when a pattern is matched with `match` instead of `fullmatch`."""
    value: Any = {"path": f"/{evil}", "domain": f"{evil}.example.com"}.get(setting, evil)
    with pytest.raises(ConfigurationError) as refusal:
        CookieTransport(**BARE | {setting: value})
    assert refusal.value.setting == setting


def test_a_cookie_may_not_outlive_every_session() -> None:
    """R-054: the server's end is the end. Fails when `check` is not called."""
    sessions = Sessions(MemoryStore(), policy=Policy(absolute=timedelta(hours=12)))
    with pytest.raises(ConfigurationError) as refusal:
        SessionMiddleware(
            Starlette(), sessions=sessions, transport=CookieTransport(max_age=timedelta(hours=13))
        )
    assert refusal.value.setting == "max_age"


async def test_a_cookie_that_is_kept_does_not_prolong_its_session(
    browser: Client, clock: Clock
) -> None:
    """R-033: cookies that a client keeps sending open nothing after the server's end."""
    await browser.post("/login")
    kept = browser.cookie
    clock.move(minutes=31)
    assert (await browser.get("/me", [("cookie", kept)])).status == 401


async def test_max_age_is_counted_from_each_new_token(sessions: Sessions, clock: Clock) -> None:
    transport = CookieTransport(max_age=timedelta(hours=2))
    browser = Client(shop(sessions, transport=transport), jar=Jar(clock))
    await browser.post("/login")
    clock.move(minutes=14)
    assert (await browser.get("/me")).cookies == []
    clock.move(minutes=2)
    assert len((await browser.get("/me")).cookies) == 1, "renewed"
    clock.move(minutes=119)
    assert browser.cookie != ""
    clock.move(minutes=2)
    assert browser.cookie == ""


DELETIONS: list[dict[str, Any]] = [
    {},
    {"same_site": "None", "partitioned": True},
    BARE,
    BARE | {"path": "/shop"},
    BARE | {"domain": "example.com"},
    BARE | {"domain": "example.com", "path": "/shop"},
    {"name": "__Secure-sid", "anonymous_name": "__Secure-v", "domain": "example.com"},
    {"name": "__Host-Http-sid", "anonymous_name": "__Host-Http-v"},
]


@pytest.mark.parametrize("settings", DELETIONS, ids=str)
@pytest.mark.parametrize("start", ["/login", "/write"])
async def test_a_deletion_mirrors_the_cookie_it_deletes(
    sessions: Sessions, clock: Clock, settings: dict[str, Any], start: str
) -> None:
    """R-052: same name, `Path`, `Domain`, `Secure`, `Partitioned`; both ways to say it is over.

    Fails when the deletion leaves out `Path`, `Domain`, `Secure` or `Partitioned`.
    """
    app = Starlette(routes=[Mount("/shop", shop(sessions, transport=CookieTransport(**settings)))])
    browser = Client(app, jar=Jar(clock))
    (made,) = (await browser.post(f"/shop{start}")).cookies
    assert len(browser.jar.cookies) == 1
    (deleted,) = (await browser.post("/shop/logout")).cookies
    assert browser.jar.cookies == {}
    assert browser.jar.refused == []
    assert split(deleted)[:2] == (split(made)[0], "")
    ends = {"Max-Age=0", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"}
    assert set(split(deleted)[2]) == set(split(made)[2]) | ends


async def test_an_expired_session_and_its_cookie_go_together(browser: Client, clock: Clock) -> None:
    await browser.post("/login")
    clock.move(minutes=31)
    assert len((await browser.get("/me")).cookies) == 1
    assert browser.jar.cookies == {}


@pytest.mark.parametrize(
    ("mount", "path"), [("/shop", "/shop"), ("/a/b", "/a/b"), ("", "/")], ids=str
)
async def test_a_name_without_prefix_keeps_to_the_mount(
    sessions: Sessions, mount: str, path: str
) -> None:
    """R-051. Fails when the mount's path is not asked."""
    inner = shop(sessions, transport=CookieTransport(**BARE))
    app = Starlette(routes=[Mount(mount, inner)])
    browser = Client(app)
    assert f"Path={path}" in split((await browser.post(f"{mount}/login")).cookies[0])[2]
    assert (await browser.get(f"{mount}/me")).status == 200
    assert browser.jar.header(host=HOST, path="/elsewhere") == (
        "" if mount else f"sid={_sid(browser)}"
    )


def _sid(browser: Client) -> str | None:
    return browser.jar.value("sid")


async def test_a_prefix_keeps_its_path_under_a_mount(sessions: Sessions) -> None:
    browser = Client(Starlette(routes=[Mount("/shop", shop(sessions))]))
    await browser.post("/shop/login")
    assert browser.jar.refused == []
    assert (await browser.get("/shop/me")).status == 200


async def test_a_prefix_on_one_name_alone_keeps_its_path_under_a_mount(sessions: Sessions) -> None:
    """The visitor's cookie is still `__Host-anon`, which no browser takes with another path."""
    transport = CookieTransport(name="sid")
    browser = Client(Starlette(routes=[Mount("/shop", shop(sessions, transport=transport))]))
    await browser.post("/shop/write")
    assert browser.jar.refused == []


@pytest.mark.parametrize(
    "place", ["x; Domain=example.com", "x\r\nSet-Cookie: a=b", "x\x00", "büro", "a b"]
)
async def test_a_mount_taken_from_the_url_injects_nothing(sessions: Sessions, place: str) -> None:
    """R-064: `Mount("/{tenant}", ...)` takes the path of the cookie from what a client sent.

    It must be written as URLs are, percent-encoded, or it is not the path a browser compares.
    """
    inner = shop(sessions, transport=CookieTransport(**BARE))
    browser = Client(Starlette(routes=[Mount("/{tenant}", inner)]))
    reply = await browser.post(f"/{place}/login")
    assert reply.status == 200
    assert all(line.isprintable() and "; Domain" not in line for line in reply.cookies)
    assert browser.jar.refused == []
    assert (await browser.get(f"/{place}/me")).status == 200


async def test_the_host_header_never_becomes_a_domain(sessions: Sessions) -> None:
    """R-051."""
    reply = await Client(shop(sessions)).post("/login", [("host", "evil.example")])
    assert "evil" not in repr(reply.headers)


async def login_write_logout(request: Request) -> Response:
    session, sessions = session_of(request), request.app.state.sessions
    session.sign_in("alice")
    await sessions.commit(session)
    session["cart"] = "hat"
    await sessions.commit(session)
    session.end()
    return PlainTextResponse("bye")


async def rotate_twice_and_end(request: Request) -> Response:
    session, sessions = session_of(request), request.app.state.sessions
    await sessions.rotate(session)
    await sessions.rotate(session)
    session.end()
    return PlainTextResponse("bye")


async def rotate_twice(request: Request) -> Response:
    session, sessions = session_of(request), request.app.state.sessions
    await sessions.rotate(session)
    session.privilege_changed()
    return PlainTextResponse("rotated")


@pytest.mark.parametrize(
    ("path", "is_deleted"),
    [("/login_write_logout", True), ("/rotate_twice_and_end", True), ("/rotate_twice", False)],
)
async def test_a_response_says_one_thing_about_a_cookie(
    sessions: Sessions, clock: Clock, path: str, is_deleted: bool
) -> None:
    """R-053: at most one `Set-Cookie` of a name; the last decision is the one that counts.

    Fails when the first decision is kept instead.
    """
    app = shop(sessions, login_write_logout, rotate_twice_and_end, rotate_twice)
    app.state.sessions = sessions
    browser = Client(app, jar=Jar(clock))
    await browser.post("/login")
    reply = await browser.post(path)
    assert reply.status == 200
    (line,) = reply.cookies
    assert (split(line)[1] == "") == is_deleted
    assert (await browser.get("/me")).status == (401 if is_deleted else 200)


async def end_and_write(request: Request) -> Response:
    session = session_of(request)
    session.end()
    session["note"] = "signed out"
    response = PlainTextResponse("bye")
    response.set_cookie("theme", "dark")
    response.headers["expires"] = "Thu, 01 Jan 1970 00:00:00 GMT"
    return response


async def test_each_cookie_has_a_header_of_its_own(sessions: Sessions, clock: Clock) -> None:
    """R-053; RFC 9110 5.3: joined by commas they could not be told apart."""
    browser = Client(shop(sessions, end_and_write), jar=Jar(clock))
    await browser.post("/login")
    reply = await browser.post("/end_and_write")
    assert [split(line)[0] for line in reply.cookies] == ["theme", "__Host-sid", "__Host-anon"]
    assert browser.jar.names() == {"theme", "__Host-anon"}
    assert (await browser.get("/read")).json() == {"note": "signed out"}


async def leads_on(request: Request) -> Response:
    session = session_of(request)
    session.sign_in("alice")
    session["messages"] = ["welcome"]
    return RedirectResponse("/me")


async def fails(request: Request) -> Response:
    session_of(request)["cart"] = object()
    return Response()


async def test_nothing_of_a_token_is_in_urls_or_bodies(sessions: Sessions) -> None:
    """R-006: of a login, a redirect, a page, a refusal and an error."""
    browser = Client(shop(sessions, leads_on, fails))
    replies = [await browser.post("/login"), await browser.post("/leads_on")]
    replies += [await browser.get(path) for path in ("/me", "/read", "/fails")]
    stale = Client(shop(sessions), jar=Jar())
    replies += [await stale.get("/me", [("cookie", browser.cookie + "x")])]
    assert [reply.status for reply in replies] == [200, 307, 200, 200, 500, 401]
    shown = b" ".join(
        part
        for reply in replies
        for part in (reply.body, *(v for name, v in reply.headers if name != b"set-cookie"))
    ).decode()
    value = browser.jar.value("__Host-sid")
    assert value is not None
    _, lineage, secret = value.split(".")
    for text in (lineage, secret):
        assert not any(text[i : i + 16] in shown for i in range(len(text) - 15))


async def test_the_path_is_that_of_the_application_and_not_of_a_part_of_it(
    sessions: Sessions,
) -> None:
    """Fails when it is read at the end: a mounted part has written its own into the scope."""

    async def login(request: Request) -> Response:
        session_of(request).sign_in("alice")
        return Response()

    inner = Starlette(routes=[Route("/login", login, methods=["POST"])])
    app = SessionMiddleware(
        Starlette(routes=[Mount("/auth", inner)]), sessions=sessions, development=True
    )
    browser = Client(app, scheme="http", peer="127.0.0.1")
    reply = await browser.post("/auth/login")
    assert [split(cookie)[2] for cookie in reply.cookies] == [
        ["Path=/", "HttpOnly", "SameSite=Lax"]
    ]
