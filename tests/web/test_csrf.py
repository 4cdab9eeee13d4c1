"""Requests that other sites' pages make a browser send: refused, by the table of the documentation.

R-065 to R-070, R-108.
"""

import asyncio
import logging
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from coatcheck import Binding, Event, Happened, Policy, Sessions, Token
from coatcheck.errors import ConfigurationError
from coatcheck.testing import Clock
from coatcheck.web import CSRF, BearerTransport
from coatcheck.web.asgi import SessionMiddleware, session_of
from tests.web.app import shop
from tests.web.client import HOST, Client, Message, Reply
from tests.web.jar import Jar
from tests.web.spy import Spy

OWN, LISTED = f"https://{HOST}", "https://admin.example.com"
FOREIGN = [("sec-fetch-site", "cross-site")]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "csrf.md"

SITES = [
    None, "", "same-origin", "none", "same-site", "cross-site", "Same-Origin", "sideways",
]  # fmt: skip
PAGES: dict[str, list[str | None]] = {
    "not sent": [None, ""],
    "own": [OWN, f"{OWN}:443", OWN.upper()],
    "listed": [LISTED],
    "null": ["null"],
    "any other": [
        f"{OWN}.evil.example", f"http://{HOST}", f"{OWN}:8443", f"https://evil.{HOST}",
        f"https://{HOST}@evil.example", f"{OWN}.", f"https://{HOST[1:]}", "https://evil.example",
        f"{OWN},{OWN}", f"{OWN} {OWN}", "file://", "https://[::1]", "garbage",
    ],
}  # fmt: skip


def rows() -> Iterator[list[str]]:
    """Yield the rows of the table: three conditions, and what comes of them in both modes."""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[-1] in ("passes", "403", "with a token"):
            yield cells


def expected(site: str | None, origin: str, referer: str) -> tuple[str, str]:
    """Return what the first row says that fits."""
    word = site if site in ("same-site", "cross-site", "same-origin", "none") else "another word"
    for sites, origins, referers, lenient, strict in ROWS:
        fits = (
            (word in sites.replace("not sent, or ", "").split(", "))
            and (not origins or origin in origins.split(", "))
            and (not referers or referer in referers.split(", "))
        )
        if fits:
            return lenient, strict
    raise AssertionError("no row fits")


ROWS = list(rows())


@pytest.mark.parametrize("site", SITES)
def test_every_combination_is_in_the_table(site: str | None) -> None:
    """R-067, R-068. Fails when any of them is decided otherwise than the documentation says."""
    assert len(ROWS) == 8
    lenient, strict = CSRF(origins=[LISTED]), CSRF(origins=[LISTED], strict=True)
    count = 0
    for (kind, origins), (referer_kind, referers) in product(PAGES.items(), PAGES.items()):
        if referer_kind == "null":
            continue
        answers = expected(site, kind, referer_kind)
        for origin, page in product(origins, referers):
            url = None if page is None else page + "/a?b" if page else ""
            headers = said(("sec-fetch-site", site), ("origin", origin), ("referer", url))
            for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "MADE-UP"):
                doubts = [
                    csrf.objection(method, "/", headers, secure=True) for csrf in (lenient, strict)
                ]
                came = [
                    "passes" if d is None else "403" if d.is_final else "with a token"
                    for d in doubts
                ]
                assert tuple(came) == answers, (method, headers)
                count += 1
            for method in ("GET", "HEAD", "OPTIONS"):
                assert strict.objection(method, "/", headers, secure=True) is None
    assert count > 2_000


def said(*headers: tuple[str, str | None]) -> list[tuple[bytes, bytes]]:
    sent = [(name.encode(), value.encode()) for name, value in headers if value is not None]
    return [(b"host", HOST.encode()), *sent]


def refuses(*headers: tuple[str, str], secure: bool = True, **settings: Any) -> bool:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return CSRF(**settings).objection("POST", "/", raw, secure=secure) is not None


def test_a_header_that_comes_twice_fits_nothing() -> None:
    """Fails when the first or the last of them counts; WSGI joins them by a comma."""
    host, site, own = ("host", HOST), ("sec-fetch-site", "same-origin"), ("origin", OWN)
    assert not refuses(host, site)
    assert not refuses(host, own)
    assert refuses(host, site, site)
    assert refuses(host, site, ("sec-fetch-site", "cross-site"))
    assert refuses(host, ("sec-fetch-site", "same-origin,same-origin"))
    assert refuses(host, own, own)
    assert refuses(host, own, ("origin", "https://evil.example"))
    assert refuses(host, ("origin", LISTED), ("origin", LISTED), origins=[LISTED])
    assert refuses(host, host, own)
    assert refuses(host, ("host", "evil.example"), ("origin", "https://evil.example"))
    assert refuses(own), "who has no host has no origin"


def test_the_host_is_compared_as_browsers_spell_it() -> None:
    for host, own in [
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("SHOP.example.com:443", "https://shop.example.com"),
        ("xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("localhost:8000", "https://localhost:8000"),
    ]:
        assert not refuses(("host", host), ("origin", own)), host
        assert refuses(("host", host), ("origin", own.replace("https", "http"))), host
        assert refuses(("host", host), ("origin", "https://127.0.0.1:8000")), host
    assert not refuses(("host", "localhost:80"), ("origin", "http://localhost"), secure=False)


def test_what_a_proxy_may_pass_on_by_mistake_is_not_believed() -> None:
    for name in ("x-forwarded-host", "forwarded", "x-original-host", "x-host"):
        forged = (name, "host=evil.example" if name == "forwarded" else "evil.example")
        assert refuses(("host", HOST), forged, ("origin", "https://evil.example")), name


def test_no_other_header_changes_the_method() -> None:
    """What overrides a method is the application's; the check goes by what was sent."""
    override = ("x-http-method-override", "GET")
    assert refuses(("host", HOST), override, ("sec-fetch-site", "cross-site"))
    assert refuses(("host", HOST), ("content-type", "text/plain"), ("origin", "null"))


# In front of an application


async def test_a_refusal_is_an_answer_that_tells_nothing(
    browser: Client, sessions: Sessions, events: list[Event], spy: Spy
) -> None:
    """R-037, R-067: the logout did not happen; no cookie changes; the event names the session."""
    await browser.post("/login")
    events.clear()
    spy.calls.clear()
    reply = await browser.post("/logout", [("origin", "https://evil.example")])
    assert (reply.status, reply.body) == (403, b'{"error": "this request was refused"}')
    assert reply.all("vary") == ["Sec-Fetch-Site, Origin"]
    assert (reply.cookies, reply.get("cache-control")) == ([], "no-store")
    assert spy.calls == ["load"]
    (event,) = events
    assert (event.kind, event.subject) == (Happened.CSRF_REFUSED, "alice")
    assert event.facts == {"reason": "origin", "origin": "https://evil.example", "own": OWN}
    assert await sessions.count("alice") == 1


async def test_a_login_that_another_site_makes_is_refused(
    browser: Client, sessions: Sessions
) -> None:
    """R-069. Without any cookie, as that is how it begins."""
    assert (await browser.post("/login?as=mallory", FOREIGN)).status == 403
    assert (await browser.post("/login?as=mallory", [("origin", "null")])).status == 403
    assert await sessions.count() == 0
    assert (await browser.post("/login", [("origin", OWN)])).status == 200


async def test_a_refused_request_is_nobodys_activity(browser: Client, clock: Clock) -> None:
    """Fails when another site's page can keep somebody signed in."""
    await browser.post("/login")
    for minutes in (20, 9.9, 0.2):  # the second so late that activity would be recorded at once
        clock.move(minutes=minutes)
        assert (await browser.post("/write", FOREIGN)).status == 403
    assert (await browser.get("/me")).status == 401


async def test_a_text_that_a_client_chose_is_in_no_event(
    browser: Client, events: list[Event]
) -> None:
    await browser.post("/write", [("origin", "https://evil.example/\r\nid=forged")])
    assert events[-1].facts == {"reason": "origin", "own": OWN}


async def test_an_error_page_that_is_safe_to_ask_for_says_nothing_of_it(browser: Client) -> None:
    reply = await browser.get("/never_looks", FOREIGN)
    assert (reply.status, reply.all("vary")) == (200, [])


async def test_bearer_tokens_are_sent_by_nobody_else(sessions: Sessions) -> None:
    api = Client(shop(sessions, transport=BearerTransport(), csrf=CSRF(strict=True)))
    assert (await api.post("/login", FOREIGN)).status == 200


async def test_a_proxy_that_does_the_tls_is_part_of_the_origin(sessions: Sessions) -> None:
    """Fails when the scheme of the connection is compared."""
    app = shop(sessions, trusted_proxies=["10.0.0.1"])
    behind = Client(app, scheme="http", peer="10.0.0.1")
    tls = ("x-forwarded-proto", "https")
    assert (await behind.post("/login", [tls, ("origin", OWN)])).status == 200
    assert (await behind.post("/login", [tls, ("origin", f"http://{HOST}")])).status == 403
    stranger = Client(app, scheme="http")
    assert (await stranger.post("/write", [tls, ("origin", OWN)])).status == 403


async def test_exempt_is_a_whole_path(sessions: Sessions) -> None:
    client = Client(shop(sessions, csrf=CSRF(exempt=["/login"])))
    assert (await client.post("/login", FOREIGN)).status == 200
    for path in ("/write", "/login/", "/login/../write", "//login", "/LOGIN", "/write;/login"):
        assert (await client.post(path, FOREIGN)).status == 403, path
    mounted = Client(shop(sessions, csrf=CSRF(exempt=["/login"])))
    reply = await mounted.send("POST", "/shop/login", FOREIGN, root_path="/shop")
    assert reply.status == 200


async def test_off_needs_a_reason(sessions: Sessions) -> None:
    client = Client(shop(sessions, csrf=CSRF(off="a gateway does it")))
    assert (await client.post("/login", FOREIGN)).status == 200
    for why in ("", "  "):
        with pytest.raises(ConfigurationError, match="off: say why"):
            CSRF(off=why)


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("origins", "https://a.example", r"write a list: \['https://a.example'\]"),
        ("origins", ["a.example"], "no origin like"),
        ("origins", ["https://a.example/"], "no origin like"),
        ("origins", ["https://*.example.com"], "no origin like"),
        ("origins", ["null"], "no origin like"),
        ("origins", ["https://b\u00fccher.example"], "in ASCII"),
        ("origins", ["http://a.example"], "is to be https"),
        ("exempt", "/a", "write a list"),
        ("exempt", ["a"], "list of paths"),
    ],
)
def test_what_cannot_work_is_refused(setting: str, value: Any, problem: str) -> None:
    """R-068: no wildcard, no suffix, no `null`."""
    with pytest.raises(ConfigurationError, match=f"{setting}: .*{problem}"):
        CSRF(**{setting: value})


def test_another_thing_is_no_setting(sessions: Sessions) -> None:
    with pytest.raises(ConfigurationError, match="csrf: False is no CSRF"):
        SessionMiddleware(shop(sessions), sessions=sessions, csrf=False)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_this_machine_may_speak_plain_http() -> None:
    assert not refuses(
        ("host", HOST), ("origin", "http://localhost:5173"), origins=["http://localhost:5173"]
    )


# Tokens


async def form(request: Request) -> Response:
    return PlainTextResponse(session_of(request).csrf_token())


async def received(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def checks(request: Request) -> Response:
    session_of(request).require_csrf_token(request.query_params.get("token"))
    return PlainTextResponse("good")


async def login_form(request: Request) -> Response:
    """A login that shows the next form at once."""
    session_of(request).sign_in("alice")
    return PlainTextResponse(session_of(request).csrf_token())


async def rotates(request: Request) -> Response:
    session_of(request).privilege_changed()
    return PlainTextResponse(session_of(request).csrf_token())


async def reserved(request: Request) -> Response:
    """A form that is made for a visitor, who is then signed in after all."""
    token = session_of(request).csrf_token()
    session_of(request).sign_in("alice")
    return PlainTextResponse(token)


@pytest.fixture
def strict(sessions: Sessions, clock: Clock) -> Client:
    """A browser of a shop that insists on a sign."""
    more = [form, received, checks, login_form, reserved, rotates]
    return Client(shop(sessions, *more, csrf=CSRF(strict=True)), jar=Jar(clock))


async def token_of(client: Client, path: str = "/form") -> str:
    return (await client.get(path)).body.decode()


URLENCODED = ("content-type", "application/x-www-form-urlencoded")
MULTIPART = ("content-type", "multipart/form-data; boundary=xyz")


async def post(client: Client, path: str, token: object) -> Reply:
    return await client.post(path, [("x-csrf-token", str(token))])


async def test_who_says_nothing_needs_a_token(strict: Client, events: list[Event]) -> None:
    """R-065, R-067: blocked when neither is present."""
    reply = await strict.post("/write")
    assert reply.status == 403
    assert events[-1].facts == {"reason": "nothing", "own": OWN}
    assert (await strict.post("/write", [("sec-fetch-site", "same-origin")])).status == 200
    assert (await post(strict, "/write", await token_of(strict))).status == 200


async def test_no_token_helps_who_says_to_be_somebody_else(strict: Client) -> None:
    token = ("x-csrf-token", await token_of(strict))
    for sign in (FOREIGN[0], ("origin", "null"), ("origin", "https://evil.example")):
        assert (await strict.post("/write", [token, sign])).status == 403


async def test_a_token_comes_in_a_header_or_a_form(strict: Client) -> None:
    """R-065: the body arrives whole all the same."""
    token = await token_of(strict)
    multipart = (
        f'--xyz\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'
        '--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--xyz--\r\n'
    ).encode()
    typed = multipart.replace(b'"csrf_token"\r\n', b'"csrf_token"\r\nContent-Type: text/plain\r\n')
    for kind, body in [
        (URLENCODED, f"csrf_token={token}".encode()),
        (URLENCODED, f"a=b&csrf_token={token}&c=d".encode()),
        (
            ("content-type", f"{URLENCODED[1].upper()}; charset=UTF-8"),
            f"csrf_token={token}".encode(),
        ),
        (MULTIPART, multipart),
        (MULTIPART, typed),
    ]:
        reply = await strict.post("/received", [kind], body)
        assert (reply.status, reply.body) == (200, body)


async def test_a_token_comes_in_no_other_way(strict: Client, sessions: Sessions) -> None:
    """R-065: a cookie, a URL, an array, another type of body. The right one is left out nowhere."""
    token = await token_of(strict)
    field = f"csrf_token={token}"
    cookie = ("cookie", f"{strict.cookie}; csrf_token={token}; X-CSRF-Token={token}")
    assert (await strict.post("/write", [cookie])).status == 403
    assert (await strict.post(f"/write?{field}")).status == 403
    for kind, body in [
        (URLENCODED, f"csrf_token[]={token}"),
        (URLENCODED, f"{field}&{field}"),
        (URLENCODED, f"csrf_token=&{field}"),
        (URLENCODED, f"xcsrf_token={token}"),
        (URLENCODED, f"{field[:-1]}"),
        (URLENCODED, f"{field}A"),
        (URLENCODED, f"CSRF_TOKEN={token}"),
        (URLENCODED, f"a={'b' * 70_000}&{field}"),
        (("content-type", "text/plain"), field),
        (("content-type", "application/json"), f'{{"csrf_token": "{token}"}}'),
        (("content-type", ""), field),
    ]:
        assert (await strict.post("/write", [kind], body.encode())).status == 403, body[:50]
    twice = [("x-csrf-token", token), ("x-csrf-token", token)]
    assert (await strict.post("/write", twice)).status == 403
    for wrong in ("", "null", "undefined", token[:-1], f"{token},{token}", f"[{token}]"):
        assert (await post(strict, "/write", wrong)).status == 403, wrong


async def test_a_token_is_of_one_session(strict: Client, sessions: Sessions) -> None:
    """R-065: another session's."""
    other = Client(strict.app, jar=Jar())
    token = await token_of(other)
    assert (await post(other, "/write", token)).status == 200
    await token_of(strict)
    assert (await post(strict, "/write", token)).status == 403
    assert (await post(Client(strict.app, jar=Jar()), "/write", token)).status == 403


async def test_a_token_dies_with_every_change_of_privileges(strict: Client) -> None:
    """R-066. Fails when it is made of what a sign-in leaves, such as the session's id."""
    before = await token_of(strict)
    assert (await post(strict, "/login", before)).status == 200
    assert (await post(strict, "/write", before)).status == 403
    inside = await token_of(strict)
    assert (await post(strict, "/login", inside)).status == 200  # the same user, again
    assert (await post(strict, "/write", inside)).status == 403
    again = await token_of(strict)
    assert (await post(strict, "/logout", again)).status == 204
    assert (await post(strict, "/write", again)).status == 403


async def test_a_token_outlives_a_renewal(strict: Client, clock: Clock) -> None:
    """Fails when it is made of the secret, so that a form that is open for long is refused."""
    assert (await post(strict, "/login", await token_of(strict))).status == 200
    token, held = await token_of(strict), strict.jar.value("__Host-sid")
    for _ in range(2):
        clock.move(minutes=20)
        await strict.get("/me")
        assert strict.jar.value("__Host-sid") != held
        held = strict.jar.value("__Host-sid")
        assert (await post(strict, "/write", token)).status == 200


async def test_a_visitor_is_given_a_session_once(strict: Client, sessions: Sessions) -> None:
    """Fails when each form starts a new one, or the first form's token is not that session's."""
    first, second = await token_of(strict), await token_of(strict)
    assert await sessions.count() == 1
    assert first != second
    assert (await post(strict, "/write", first)).status == 200
    assert (await post(strict, "/write", second)).status == 200


@pytest.mark.parametrize("path", ["/login_form", "/reserved"])
async def test_a_form_beside_a_sign_in_has_the_new_sessions_token(
    strict: Client, path: str
) -> None:
    token = await token_of(strict, path)
    assert (await strict.get("/me")).json()["subject"] == "alice"
    assert (await post(strict, "/write", token)).status == 200


async def test_a_form_beside_a_rotation_has_the_new_token(strict: Client) -> None:
    """Fails when the commit makes another lineage than the form was made for."""
    await token_of(strict, "/login_form")
    assert (await post(strict, "/write", await token_of(strict, "/rotates"))).status == 200


async def test_a_form_over_a_visitors_session_needs_a_new_token_after_the_sign_in(
    strict: Client,
) -> None:
    """The page of a sign-in: asked for before it, the token is the visitor's, and dies."""
    await strict.get("/write")
    dead = await token_of(strict, "/reserved")
    assert (await post(strict, "/write", dead)).status == 403
    visitor = Client(strict.app, jar=Jar())
    await visitor.get("/write")
    assert (await post(visitor, "/write", await token_of(visitor, "/login_form"))).status == 200


async def test_a_page_with_a_token_is_stored_nowhere(sessions: Sessions, strict: Client) -> None:
    """R-070: not even if the application says that it is for everybody."""

    async def public(request: Request) -> Response:
        token = session_of(request).csrf_token()
        return PlainTextResponse(token, headers={"cache-control": "public, max-age=600"})

    strict.app = shop(sessions, public)
    for _ in range(2):  # the second time there is no cookie to hand over
        reply = await strict.get("/public")
        assert reply.all("cache-control") == ["no-store"]
        assert reply.all("vary") == ["Cookie"]


async def test_nothing_of_a_token_is_stored_or_logged(
    strict: Client, caplog: pytest.LogCaptureFixture, events: list[Event], sessions: Sessions
) -> None:
    """R-070."""
    caplog.set_level(logging.DEBUG)
    token = await token_of(strict)
    await post(strict, "/write", token)
    await post(strict, "/write", token[:-1])
    session = await sessions.open(Token.parse(strict.jar.value("__Host-anon") or ""))
    assert session == {"cart": "hat"}
    assert token[:-1] not in caplog.text + repr(events) + repr(session)


async def whom(request: Request) -> Response:
    """What a route is told, however it is reached."""
    session = session_of(request)
    if "require" in request.query_params:
        session.require_subject()
    session.require_csrf_token(request.headers["x-csrf-token"])
    return PlainTextResponse(f"{session.subject} {dict(session)}")


async def test_a_form_is_no_forgery_because_its_session_is_in_doubt(
    spy: Spy, clock: Clock, events: list[Event]
) -> None:
    """Its user is to be asked, not turned away; until then the request is nobody's.

    Fails when the token of a session that is withheld fits nothing, or when any other does.
    """
    policy = Policy(binding=Binding(step_up=3))
    sessions = Sessions(spy.store, policy=policy, clock=clock, on_event=events.append)
    settings: dict[str, Any] = {"csrf": CSRF(strict=True), "step_up_url": "/step-up"}
    client = Client(shop(sessions, form, whom, **settings), jar=Jar(clock))
    assert (await post(client, "/login", await token_of(client))).status == 200
    open_form = await token_of(client)
    assert (await post(client, "/write?cart=hat", open_form)).status == 200
    other = Client(client.app, jar=Jar(clock))
    foreign = await token_of(other)
    assert (await post(other, "/login", foreign)).status == 200
    inside = await token_of(other)

    async def send(path: str, token: str, *more: tuple[str, str]) -> Reply:
        agent = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")
        return await client.post(path, [agent, ("x-csrf-token", token), *more])

    assert (await send("/whom", open_form)).body == b"None {}"
    page = await send("/whom?require", open_form, ("accept", "text/html"))
    assert (page.status, page.get("location")) == (303, "/step-up")
    script = await send("/whom?require", open_form)
    assert (script.status, script.cookies) == (401, [])
    assert 'acr_values="aal1", max_age="0"' in (script.get("www-authenticate") or "")
    assert Happened.CSRF_REFUSED not in [event.kind for event in events]
    for wrong in (inside, foreign, "", open_form[:-1]):
        assert (await send("/whom", wrong)).status == 403
    assert (await send("/whom", open_form, ("sec-fetch-site", "cross-site"))).status == 403
    assert (await post(client, "/whom", open_form)).body == b"alice {'cart': 'hat'}"
    client.jar = other.jar
    assert (await send("/whom", open_form)).status == 403, "it is another session that is in doubt"


async def test_a_form_beside_a_session_in_doubt_is_that_sessions(spy: Spy, clock: Clock) -> None:
    """The login page that asks again; who planted the visitor's cookie has no token of that.

    Fails when a visitor's token is good there, so that another site's form logs the user out.
    """
    policy = Policy(binding=Binding(step_up=3))
    app = shop(Sessions(spy.store, policy=policy, clock=clock), form, csrf=CSRF(strict=True))
    client, planter = Client(app, jar=Jar(clock)), Client(app, jar=Jar(clock))
    assert (await post(client, "/login", await token_of(client))).status == 200
    of_user = await token_of(client)
    agent = ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0")
    asked = (await client.get("/form", [agent])).body.decode()
    planted = await token_of(planter)
    client.jar.cookies |= planter.jar.cookies
    for token in (of_user, asked):
        assert (await client.post("/write", [agent, ("x-csrf-token", token)])).status == 200
    for path in ("/logout", "/login", "/write"):
        assert (await client.post(path, [agent, ("x-csrf-token", planted)])).status == 403
    assert (await client.post("/login", [agent, ("x-csrf-token", asked)])).status == 200
    assert (await client.get("/me", [agent])).json()["subject"] == "alice"


async def test_an_outage_is_no_forgery(strict: Client, spy: Spy) -> None:
    """503, as nobody can tell; without a token there is nothing to tell."""
    token = await token_of(strict)
    spy.breaks()
    assert (await post(strict, "/write", token)).status == 503
    assert (await strict.post("/write")).status == 403


async def test_the_application_may_check_a_token_itself(sessions: Sessions, strict: Client) -> None:
    token = await token_of(strict)
    lenient = Client(shop(sessions, checks), jar=strict.jar)
    assert (await lenient.post(f"/checks?token={token}")).status == 200
    reply = await lenient.post("/checks")
    assert (reply.status, reply.body) == (403, b'{"error": "this request was refused"}')


async def test_no_token_is_made_when_it_is_too_late(sessions: Sessions) -> None:
    async def late(scope: Message, receive: Any, send: Any) -> None:
        len(scope["session"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        scope["session"].csrf_token()

    reply = await Client(SessionMiddleware(late, sessions=sessions)).get("/")
    assert "the response has started" in str(reply.error)


async def test_an_upload_is_not_held_up(sessions: Sessions) -> None:
    """Fails when more than the beginning is read before the application runs."""
    asked: list[int] = []
    chunks = iter(range(100))

    async def receive() -> Message:
        asked.append(next(chunks))
        return {"type": "http.request", "body": bytes(32_768), "more_body": asked[-1] < 99}

    async def upload(scope: Message, receive: Any, send: Any) -> None:
        seen.append(len(asked))
        while (message := await receive()).get("more_body"):
            seen.append(len(message["body"]))

    async def send(message: Message) -> None:
        sent.append(message)

    app = SessionMiddleware(upload, sessions=sessions, csrf=CSRF(strict=True))
    scope = Client(app).scope("/")
    headers = [(b"host", HOST.encode()), (b"content-type", MULTIPART[1].encode())]
    own = [*headers, (b"origin", OWN.encode())]
    seen, sent = list[int](), list[Message]()
    await app({**scope, "method": "POST", "headers": headers}, receive, send)
    assert (sent[0]["status"], len(asked), seen) == (403, 2, [])
    asked.clear()
    chunks = iter(range(100))
    await app({**scope, "method": "POST", "headers": own}, receive, send)
    assert seen == [0] + [32_768] * 99


async def test_a_client_that_goes_away_while_it_is_looked_at_is_refused(sessions: Sessions) -> None:
    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    app = SessionMiddleware(shop(sessions), sessions=sessions, csrf=CSRF(strict=True))
    client = Client(app)
    headers = [(b"host", HOST.encode()), (b"content-type", URLENCODED[1].encode())]
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app({**client.scope("/write"), "method": "POST", "headers": headers}, receive, send)
    assert sent[0]["status"] == 403


# WebSockets


async def accepting(scope: Message, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})


HANDSHAKES: list[tuple[list[tuple[str, str]], bool, bool]] = [
    ([("origin", OWN)], True, True),
    ([("origin", LISTED)], True, True),
    ([], True, False),
    ([("origin", "null")], False, False),
    ([("origin", "https://evil.example")], False, False),
    ([("origin", f"{OWN}.evil.example")], False, False),
    ([("origin", f"wss://{HOST}")], False, False),
    ([("origin", OWN), ("origin", OWN)], False, False),
    ([("origin", OWN), ("sec-fetch-site", "cross-site")], True, True),
    ([("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], False, False),
    ([("sec-fetch-site", "cross-site")], False, False),
    ([("sec-fetch-site", "same-origin")], True, True),
]


@pytest.mark.parametrize(("headers", "lenient", "strict"), HANDSHAKES)
async def test_a_handshake_is_refused_before_it_is_accepted(
    sessions: Sessions, headers: list[tuple[str, str]], lenient: bool, strict: bool
) -> None:
    """R-108. Fails when it is taken for a GET. A strict one needs an origin, as RFC 6455 has it."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    for is_strict, passes in ((False, lenient), (True, strict)):
        csrf = CSRF(origins=[LISTED], strict=is_strict)
        app = SessionMiddleware(accepting, sessions=sessions, csrf=csrf)
        client = Client(app, scheme="wss")
        sent = await client.websocket("/", headers=[(b"host", HOST.encode()), *raw])
        if passes:
            assert [message["type"] for message in sent] == ["websocket.accept"]
        else:
            assert [(message["type"], message["code"]) for message in sent] == [
                ("websocket.close", 1008)
            ]
            start, body = await client.websocket(
                "/",
                headers=[(b"host", HOST.encode()), *raw],
                extensions={"websocket.http.response": {}},
            )
            assert (start["status"], body["body"]) == (
                403,
                b'{"error": "this request was refused"}',
            )
