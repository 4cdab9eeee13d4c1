"""What the settings of a Django site do, and what happens around a request's session."""

import copy
import gc
import logging
import pickle
import weakref
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import pytest
from django.contrib.sessions import middleware
from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from django.utils.module_loading import import_string
from django.views.debug import ExceptionReporter

from coatcheck import BlockingSessions, Event, Happened, MemoryStore, Policy, Sessions
from coatcheck.core.record import Stored
from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.testing import Clock, WsgiDriver
from coatcheck.waiting import Kind, finish
from coatcheck.web import BearerTransport, CookieTransport, Headers
from coatcheck.web.django import session_of
from coatcheck.web.django.site import current
from coatcheck.web.reuse import require_new
from coatcheck.web.wsgi import SessionMiddleware as WsgiMiddleware
from tests.frameworks.django_site import OUR_AUTH, OUR_SESSIONS, Browser, site
from tests.frameworks.test_django_engine import make

ABSOLUTE = 43_200
SID = "__Host-sid"


class Spy(MemoryStore):
    """Counts loads, and fails on demand."""

    loads = 0
    is_away = False

    async def load(self, id: str, /) -> Stored:
        self.loads += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().load(id)


@pytest.fixture
def store() -> Spy:
    return Spy()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def sessions(store: Spy, clock: Clock, events: list[Event]) -> BlockingSessions:
    return BlockingSessions(store, clock=clock, on_event=events.append)


Edit = Callable[[HttpRequest], object]


def page(edit: Edit, name: str = "page") -> Any:
    """A page that does something, and says what is in the session."""

    def view(request: HttpRequest) -> HttpResponse:
        edit(request)
        return JsonResponse(dict(request.session.items()))

    return path(name, view)


@pytest.fixture
def serve(sessions: BlockingSessions) -> Generator[Callable[..., Browser]]:
    """Serve pages, with some settings changed."""
    opened = ExitStack()

    def serve(*pages: Any, **changes: Any) -> Browser:
        changes = {"COATCHECK": {"sessions": sessions}, **changes}
        pages = (*pages, page(sign_in, "login"), page(nothing, "look"))
        opened.enter_context(site(*pages, **changes))
        return Browser()

    with opened:
        yield serve


def sign_in(request: HttpRequest) -> None:
    session_of(request).sign_in("alice")


def nothing(_: HttpRequest) -> None:
    """Do nothing."""


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def line(response: Any, name: str = SID) -> str:
    """Return the `Set-Cookie` of a cookie, without its token; empty if there is none."""
    cookie = response.cookies.get(name)
    text: str = cookie.output(header="") if cookie else ""
    return text.replace(cookie.value, "", 1) if cookie and cookie.value else text


# Wrong settings stop the start, by name


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (None, "COATCHECK: is to be a dict"),
        ("redis://localhost", "COATCHECK: is to be a dict"),
        ({}, "COATCHECK: needs a store or sessions"),
        ({"store": "memory:", "sessions": "here"}, "COATCHECK: needs a store or sessions"),
        ({"stor": "memory:"}, "COATCHECK: 'stor' is none of sessions, store"),
        ({"store": "ftp://"}, r'COATCHECK\["store"\]: names no known store'),
        ({"sessions": "nowhere.at_all"}, r'COATCHECK\["sessions"\]'),
        ({"sessions": 7}, r'COATCHECK\["sessions"\]: 7 is no BlockingSessions'),
        ({"sessions": "tests.frameworks.django_site.site"}, r'COATCHECK\["sessions"\]'),
        ({"store": "memory:", "policy": 7}, r'COATCHECK\["policy"\]'),
        ({"store": "memory:", "trusted_proxies": ["x"]}, r'COATCHECK\["trusted_proxies"\]'),
        ({"store": "memory:", "passive": "poll"}, r'COATCHECK\["passive"\]'),
        ({"store": "memory:", "transport": BearerTransport}, r'COATCHECK\["transport"\]'),
    ],
)
def test_a_wrong_setting_stops_the_start(options: object, says: str) -> None:
    with site(COATCHECK=options), pytest.raises(ConfigurationError, match=says):
        WSGIHandler()


def test_what_belongs_to_the_sessions_is_not_set_beside_them(sessions: BlockingSessions) -> None:
    options = {"sessions": sessions, "policy": Policy()}
    with site(COATCHECK=options), pytest.raises(ConfigurationError, match="policy"):
        WSGIHandler()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_COOKIE_AGE", 0),
        ("SESSION_COOKIE_AGE", 1801),  # the policy has half an hour
        ("SESSION_COOKIE_SAMESITE", False),
        ("SESSION_COOKIE_NAME", "a name"),
        ("SESSION_COOKIE_PATH", "here"),
        ("SESSION_COOKIE_DOMAIN", "com"),
    ],
)
def test_a_wrong_setting_of_django_stops_the_start(name: str, value: object) -> None:
    options = {"store": MemoryStore(), "policy": Policy()}
    with site(COATCHECK=options, **{name: value}), pytest.raises(ConfigurationError) as raised:
        WSGIHandler()
    assert raised.value.setting == name


def test_two_middleware_classes_are_refused() -> None:
    for other in (OUR_SESSIONS, "django.contrib.sessions.middleware.SessionMiddleware"):
        middleware = [OUR_SESSIONS, OUR_AUTH, other]
        with site(MIDDLEWARE=middleware), pytest.raises(ConfigurationError, match="MIDDLEWARE"):
            WSGIHandler()


class Elsewhere(middleware.SessionMiddleware):
    """As djangosaml2 has it: with a session and a cookie of its own, beside the request's."""

    def process_request(self, request: HttpRequest) -> None:
        vars(request)["other"] = self.SessionStore(request.COOKIES.get("other"))

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        store = vars(request)["other"]
        if store.modified:
            store.save()
            response.set_cookie("other", store.session_key, secure=True)
        return response


def test_a_middleware_class_for_another_session_is_none_for_this_one(serve: Any) -> None:
    def write(request: HttpRequest) -> None:
        vars(request)["other"]["hat"] = 1
        request.session["coat"] = 1

    def read(request: HttpRequest) -> None:
        assert vars(request)["other"]["hat"] == 1

    chain = [OUR_SESSIONS, f"{__name__}.{Elsewhere.__name__}"]
    browser = serve(page(write, "write"), page(read, "read"), MIDDLEWARE=chain)
    browser.get("/write")
    assert browser.get("/read").json() == {"coat": 1}


def test_sessions_of_asyncio_are_refused_under_wsgi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "kind", Kind.ASYNCIO)
    with site(COATCHECK={"sessions": Sessions(MemoryStore())}):
        with pytest.raises(ConfigurationError, match="ASGI"):
            WSGIHandler()
        ASGIHandler()


def test_two_adapters_are_refused(serve: Any, sessions: BlockingSessions, caplog: Any) -> None:
    serve()
    app = WsgiMiddleware(WSGIHandler(), sessions=sessions)
    assert WsgiDriver(app).send("GET", "/look").status == 500
    assert "coatcheck.web.wsgi outside and coatcheck.web.django inside" in caplog.text


def test_no_session_outside_of_a_request() -> None:
    with pytest.raises(RuntimeError, match="while a request is served"):
        session_of(RequestFactory().get("/"))


# The cookie


def test_the_cookies_settings_hold(serve: Any) -> None:
    browser = serve(
        SESSION_COOKIE_NAME="shop", SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_PATH="/shop",
        SESSION_COOKIE_HTTPONLY=False,
    )  # fmt: skip
    said = line(browser.get("/login"), "shop")
    assert said == "shop=; Path=/shop; Secure; SameSite=Strict"


def test_a_transport_of_ones_own(serve: Any, sessions: BlockingSessions) -> None:
    browser = serve(COATCHECK={"sessions": sessions, "transport": BearerTransport()})
    answer = browser.get("/login")
    headers = {"Authorization": f"Bearer {answer.headers['Session-Token']}"}
    browser.get("/look", headers=headers)
    assert answer.headers["Vary"] == "Authorization"


def test_an_age_is_the_idle_time_and_keeps_the_cookie(serve: Any, clock: Clock) -> None:
    options = {"store": MemoryStore(), "clock": clock}
    browser = serve(page(lambda r: session_of(r).require_subject()), COATCHECK=options,
                    SESSION_COOKIE_AGE=600)  # fmt: skip
    assert f"Max-Age={ABSOLUTE}" in line(browser.get("/login"))
    clock.move(seconds=599)
    assert browser.get("/page").status_code == 200
    clock.move(seconds=601)
    assert browser.get("/page").status_code == 401


def test_an_age_below_the_policys_is_kept(serve: Any, clock: Clock) -> None:
    browser = serve(page(lambda r: session_of(r).require_subject()), SESSION_COOKIE_AGE=600,
                    SESSION_EXPIRE_AT_BROWSER_CLOSE=True)  # fmt: skip
    assert "Max-Age" not in line(browser.get("/login"))
    clock.move(seconds=599)
    assert browser.get("/page").status_code == 200
    clock.move(seconds=601)
    answer = browser.get("/page")
    assert answer.status_code == 401
    assert "Max-Age=0" in line(answer), "the copy is deleted"


def in_a_minute(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.ms / 1000 + 60, UTC)


@pytest.mark.parametrize(
    ("expiry", "age"),
    [(0, None), (300, ABSOLUTE), ("in a minute", 60), (timedelta(days=9), ABSOLUTE), (None, None)],
)
def test_set_expiry_and_the_cookie(serve: Any, clock: Clock, expiry: Any, age: int | None) -> None:
    def login(request: HttpRequest) -> None:
        sign_in(request)
        request.session.set_expiry(in_a_minute(clock) if isinstance(expiry, str) else expiry)

    said = line(serve(page(login)).get("/page"))
    assert said == line_with(age)


def line_with(age: int | None) -> str:
    return f"{SID}=; Path=/; {f'Max-Age={age}; ' if age else ''}Secure; HttpOnly; SameSite=Lax"


def test_set_expiry_later_hands_the_cookie_over_anew(serve: Any) -> None:
    browser = serve(page(lambda r: r.session.set_expiry(300)), SESSION_COOKIE_NAME=SID)
    browser.get("/login")
    before = browser.tokens[SID]
    assert line(browser.get("/page")) == line_with(ABSOLUTE)
    assert browser.tokens[SID] != before
    assert line(browser.get("/page")) == "", "nothing changed"


def test_set_expiry_alone_is_worth_no_session(serve: Any, sessions: BlockingSessions) -> None:
    assert serve(page(lambda r: r.session.set_expiry(0))).get("/page").cookies == {}
    assert sessions.count() == 0


# When it is loaded, and what counts


def test_who_does_not_look_costs_nothing(serve: Any, store: Spy) -> None:
    """Fails when the session is opened before somebody looks."""
    browser = serve(path("hello", hello))
    browser.get("/login")
    store.loads = 0
    answer = browser.get("/hello")
    assert (store.loads, "Vary" in answer.headers) == (0, False)
    assert browser.get("/look").headers["Vary"] == "Cookie"
    assert store.loads == 1


def test_each_request_counts_where_each_is_saved(serve: Any, clock: Clock) -> None:
    for saves, status in ((False, 401), (True, 200)):
        browser = serve(
            path("hello", hello),
            page(lambda r: session_of(r).require_subject()),
            SESSION_SAVE_EVERY_REQUEST=saves,
        )
        browser.get("/login")
        clock.move(minutes=20)
        assert "Vary" not in browser.get("/hello").headers
        clock.move(minutes=20)
        assert browser.get("/page").status_code == status


def test_a_request_counts_from_when_it_arrived(serve: Any, clock: Clock) -> None:
    """Fails when a session that was alive when the request came is over by the first look."""

    def slow(request: HttpRequest) -> None:
        clock.move(seconds=40)
        session_of(request).require_subject()

    browser = serve(page(slow))
    browser.get("/login")
    clock.move(minutes=29, seconds=40)
    assert browser.get("/page").status_code == 200


def test_one_new_key_at_once(serve: Any, sessions: BlockingSessions) -> None:
    keys: list[str | None] = []

    def renew(request: HttpRequest) -> None:
        keys.append(request.session.session_key)
        request.session.cycle_key()
        keys.append(request.session.session_key)
        request.session["after"] = 1

    browser = serve(page(renew), SESSION_COOKIE_NAME=SID)
    browser.get("/login")
    before = browser.tokens[SID]
    assert browser.get("/page").json() == {"after": 1}
    assert keys == [before, browser.tokens[SID]]
    assert sessions.count() == 1


def test_a_save_in_the_view_that_comes_too_late_is_dropped(
    serve: Any, sessions: BlockingSessions, events: list[Event]
) -> None:
    def late(request: HttpRequest) -> None:
        request.session["late"] = 1
        sessions.end_all("alice")
        request.session.save()
        request.session["later"] = 1

    browser = serve(page(late))
    browser.get("/login")
    answer = browser.get("/page")
    assert (answer.status_code, answer.cookies) == (200, {})
    assert sessions.count() == 0
    assert Happened.DROPPED in [event.kind for event in events]


def test_what_was_superseded_is_answered_409(serve: Any, sessions: BlockingSessions) -> None:
    def late(request: HttpRequest) -> None:
        request.session["late"] = 1
        other = Browser()
        other.cookies[SID] = browser.tokens[SID]
        other.get("/rotate")
        request.session.save()

    browser = serve(
        page(late),
        page(lambda r: session_of(r).privilege_changed(), "rotate"),
        SESSION_COOKIE_NAME=SID,
    )
    browser.get("/login")
    answer = browser.get("/page")
    assert (answer.status_code, answer.cookies) == (409, {})


def test_an_outage_in_middleware_is_answered_503(
    serve: Any, store: Spy, sessions: BlockingSessions
) -> None:
    """Fails when only errors of views are: middleware may look at the user before them."""
    browser = serve(
        path("hello", hello),
        MIDDLEWARE=[
            OUR_SESSIONS, OUR_AUTH, "django.contrib.auth.middleware.LoginRequiredMiddleware",
        ],
    )  # fmt: skip
    browser.raise_request_exception = False
    session = sessions.open(None)
    session.sign_in("7")
    token = sessions.commit(session).token
    assert token is not None
    browser.cookies[SID] = token.reveal()
    store.is_away = True
    answer = browser.get("/hello")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_a_first_look_after_the_start_is_an_error(serve: Any) -> None:
    def view(request: HttpRequest) -> StreamingHttpResponse:
        def body() -> Iterator[str]:
            yield "one"
            request.session["late"] = 1

        return StreamingHttpResponse(body())

    browser = serve(path("page", view))
    with pytest.raises(RuntimeError, match="after the response started"):
        b"".join(browser.get("/page"))


def test_errors_of_the_commit_are_the_sites(serve: Any) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.session["key"] = object()
        return HttpResponse()

    browser = serve(path("page", view))
    with pytest.raises(TypeError, match="'key'"):
        browser.get("/page")


def test_a_path_that_is_not_latin(serve: Any, sessions: BlockingSessions) -> None:
    """Fails when the path that Django decoded is decoded again."""
    options = {"sessions": sessions, "passive": ["/ż"]}
    browser = serve(page(nothing, "ż"), COATCHECK=options)
    assert browser.get("/ż").status_code == 200


def test_behind_a_proxy_that_django_knows(serve: Any) -> None:
    serve(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
    assert SID in Client().get("/login", headers={"X-Forwarded-Proto": "https"}).cookies


def test_in_development_plain_http_is_fine(serve: Any, sessions: BlockingSessions) -> None:
    serve(COATCHECK={"sessions": sessions, "development": True})
    assert "sid" in Client().get("/login").cookies


async def test_a_coroutine_that_does_not_await_is_told(
    serve: Any, sessions: BlockingSessions
) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        request.session["hat"] = 1  # a store that hardly ever waits is read on the spot
        with pytest.raises(SynchronousOnlyOperation, match="asave"):
            request.session.save()
        return HttpResponse()

    serve(path("page", view))
    await AsyncClient().get("/page", secure=True)
    assert sessions.count() == 1


# What must not get out


def test_djangos_cache_keeps_no_token(serve: Any, sessions: BlockingSessions) -> None:
    """Fails when a response that hands a token over says nothing of caches."""
    browser = serve(
        page(lambda r: session_of(r).privilege_changed()),
        MIDDLEWARE=[
            "django.middleware.cache.UpdateCacheMiddleware",
            OUR_SESSIONS,
            "django.middleware.cache.FetchFromCacheMiddleware",
        ],
        SESSION_COOKIE_NAME=SID,
    )
    browser.get("/login")
    thief = Browser()
    thief.cookies[SID] = browser.tokens[SID]
    browser.get("/page")
    assert browser.get("/look").status_code == 200
    answer = thief.get("/page")
    assert answer.cookies.get(SID) is None


@pytest.mark.parametrize("looks", [False, True])
def test_nothing_of_a_request_is_left_for_the_garbage_collector(serve: Any, looks: bool) -> None:
    """A token would wait in memory for it. Fails when the session keeps the request it is of."""
    requests: list[weakref.ref[HttpRequest]] = []

    def view(request: HttpRequest) -> HttpResponse:
        requests.append(weakref.ref(request))
        if looks:
            request.session["hat"] = 1
        return HttpResponse("bare")

    # Alone: `request.user` has the request, as Django's own has.
    serve(path("bare", view), MIDDLEWARE=[OUR_SESSIONS])
    gc.disable()
    try:
        answer = WSGIHandler()(RequestFactory().get("/bare", secure=True).environ, _start)
        answer.close()
        del answer
        assert [request() for request in requests] == [None]
    finally:
        gc.enable()


def test_threads_of_one_request_may_look_at_once(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One opens the session just as another is about to, and lets go of the request.

    Fails when the other asks for the request after it has seen that nobody was first.
    """
    serve()
    from coatcheck.web.django.store import RequestStore  # noqa: PLC0415 - it needs the settings

    store = RequestStore.of(current(), RequestFactory().get("/", secure=True), is_guarded=False)
    request = vars(store)["_request"]
    is_first = True

    def held(store: RequestStore) -> Any:
        nonlocal is_first
        if is_first:
            is_first = False
            finish(store.enter())
        return None if store.exchange else request

    def let_go(_: RequestStore, __: object) -> None:
        """It is told by the exchange."""

    monkeypatch.setattr(RequestStore, "_request", property(held, let_go), raising=False)
    assert finish(store.enter()) is store.exchange


def _start(*_: object) -> Callable[[bytes], object]:
    return lambda _: None


def test_djangos_cache_is_told_of_a_token(serve: Any) -> None:
    """Older releases look at `private` alone, not at `no-store`."""
    requests: list[Any] = []

    def put(request: HttpRequest) -> None:
        requests.append(request)
        request.session["hat"] = 1

    browser = serve(
        page(requests.append, "read"),
        page(put, "put"),
        MIDDLEWARE=[OUR_SESSIONS, "django.middleware.cache.FetchFromCacheMiddleware"],
    )
    for name, is_stored in (("read", True), ("put", False), ("read?again", True)):
        browser.get(f"/{name}")
        assert requests[-1]._cache_update_cache is is_stored


def test_no_cache_of_its_own_rules_stores_a_token(serve: Any) -> None:
    """Fails when only `Cache-Control` is looked at."""

    def login(request: HttpRequest) -> HttpResponse:
        session_of(request).sign_in("7")
        return HttpResponse(headers={"X-LiteSpeed-Cache-Control": "max-age=600"})

    answer = serve(path("in", login)).get("/in")
    assert "X-LiteSpeed-Cache-Control" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("looks", [False, True])
def test_a_response_that_serves_several_requests_hands_nothing_over_twice(
    serve: Any, *, looks: bool, late: bool
) -> None:
    """Fails when the second visitor gets the first one's cookie."""
    shared = HttpResponse("shared")

    def view(request: HttpRequest) -> HttpResponse:
        if request.META["QUERY_STRING"]:
            request.session["a"] = 1
        elif looks:
            request.session.get("a")
        return shared

    serve(path("shared", view))
    sent = [("", 200, 0), ("?a", 500, 0), ("", 200, 0)] if late else [("?a", 200, 1), ("", 500, 0)]
    for query, status, cookies in sent:
        browser = Browser(raise_request_exception=False)
        assert browser.get(f"/shared{query}").status_code == status
        assert len(browser.tokens) == cookies


async def test_a_response_of_a_coroutine_is_looked_at_too(serve: Any) -> None:
    """Fails when the second visitor, who does not look, gets the first one's cookie."""
    shared = HttpResponse("shared")

    async def view(request: HttpRequest) -> HttpResponse:
        if request.META["QUERY_STRING"]:
            await request.session.aset("a", 1)
        return shared

    serve(path("shared", view), MIDDLEWARE=[OUR_SESSIONS])
    for query, status, cookies in (("?a", 200, 1), ("", 500, 0)):
        client = AsyncClient(raise_request_exception=False)
        answer = await client.get(f"/shared{query}", secure=True)
        assert (answer.status_code, len(answer.cookies)) == (status, cookies)


def test_a_response_from_a_cache_is_a_new_one() -> None:
    response = HttpResponse("cached")
    require_new(response, hands_over=False)
    require_new(pickle.loads(pickle.dumps(response)), hands_over=True)  # noqa: S301 - our own
    with pytest.raises(RuntimeError, match="was sent before"):
        require_new(response, hands_over=True)


def test_reports_of_errors_show_no_token(serve: Any) -> None:
    """Fails when Django's own filter is used: it knows but the cookie of its own setting."""
    reports: list[str] = []

    def view(request: HttpRequest) -> None:
        assert "hat" in request.session
        try:
            raise LookupError
        except LookupError as error:
            reporter = ExceptionReporter(request, type(error), error, error.__traceback__)
            reports.extend((reporter.get_traceback_html(), reporter.get_traceback_text()))

    browser = serve(page(view), page(lambda r: r.session.update({"hat": 1}), "put"), DEBUG=True)
    browser.get("/put")
    token = browser.tokens["__Host-anon"]
    browser.get("/page")
    assert len(reports) == 2
    assert not [report for report in reports if token.rpartition(".")[2] in report]


def find_out(lines: Headers) -> bool:
    for name, value in lines:
        int(value if name == b"x-poll" else 0)
    return False


def fails(path: str, headers: Headers) -> bool:
    return find_out(list(headers))


@pytest.mark.parametrize("debug", [True, False])
async def test_reports_of_errors_show_no_header(
    serve: Any, sessions: BlockingSessions, debug: bool, caplog: Any
) -> None:
    """Fails when frames are shown that are ours, or that the gate gives headers to."""
    cookie, password = token_hex(6), token_hex(6)  # made up: reports show lines of this file
    headers = {"Cookie": f"{SID}={cookie}", "Authorization": password, "X-Poll": "often"}
    options = {"sessions": sessions, "passive": fails}
    serve(page(lambda r: r.session.get("hat")), COATCHECK=options, DEBUG=debug)
    client = Client(raise_request_exception=False)
    other = AsyncClient(raise_request_exception=False)
    said: list[Any] = [
        client.get("/page", secure=True, headers=headers),
        await other.get("/page", secure=True, headers=headers),
    ]
    assert [reply.status_code for reply in said] == [500, 500]
    shown: list[str] = [reply.content.decode() for reply in said] if debug else []
    for record in (record for record in caplog.records if record.exc_info):
        kind, error, trace = record.exc_info
        reporter = ExceptionReporter(record.request, kind, error, trace, is_email=True)
        shown += [reporter.get_traceback_html(), reporter.get_traceback_text()]
    assert ["find_out" in each for each in shown] == [True] * (6 if debug else 4)
    assert not [each for each in shown if cookie in each or password in each]


def test_reports_of_errors_show_no_password_of_the_store() -> None:
    options = {"store": "redis://shop:a-password@localhost", "policy": Policy()}
    with site(COATCHECK=options):
        shown = current().reports.get_safe_settings()["COATCHECK"]
    assert "a-password" not in str(shown)
    assert shown["policy"] == Policy()


def test_nothing_logs_the_token(serve: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    browser = serve(page(lambda r: r.session.cycle_key()), SESSION_COOKIE_NAME=SID)
    browser.get("/login")
    browser.get("/page")
    secret = browser.tokens[SID].rpartition(".")[2]
    assert secret not in caplog.text


def test_updates_of_16_threads_all_survive(serve: Any, sessions: BlockingSessions) -> None:
    def one_more(data: dict[str, Any]) -> None:
        data["n"] = data.get("n", 0) + 1

    def count(request: HttpRequest) -> None:
        request.session["items"][request.META["QUERY_STRING"]] = 1
        session_of(request).edit(one_more)

    browser = serve(
        page(count), page(lambda r: r.session.update({"items": {}}), "put"), SESSION_COOKIE_NAME=SID
    )
    browser.get("/login")
    browser.get("/put")
    app = WsgiDriver(WSGIHandler())
    headers = {"Cookie": f"{SID}={browser.tokens[SID]}"}

    def send(number: int) -> int:
        return app.send("GET", f"/page?{number}", headers).status

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(200))) == {200}
    stored = browser.get("/look").json()
    assert (stored["n"], len(stored["items"])) == (200, 200)


def test_what_a_cookie_says_can_be_read_from_the_response(serve: Callable[..., Browser]) -> None:
    """Fails when it is nothing but the line that is sent."""
    cookie: Any = serve().get("/login").cookies[SID]
    read = {name: cookie[name] for name in ("path", "secure", "httponly", "samesite", "max-age")}
    assert read == {
        "path": "/", "secure": True, "httponly": True, "samesite": "Lax", "max-age": "",
    }  # fmt: skip
    kept = serve(SESSION_COOKIE_AGE=600).get("/login").cookies[SID]
    assert kept["max-age"] == ABSOLUTE


def test_a_cookie_is_sent_as_it_was_written_however_django_asks(
    serve: Callable[..., Browser],
) -> None:
    """Fails when Django sends its attributes in another order, and without `Partitioned`."""
    transport = CookieTransport(same_site="None", partitioned=True)
    cookies = serve(COATCHECK={"store": MemoryStore(), "transport": transport}).get("/login")
    cookie: Any = cookies.cookies[SID]
    sent = f"{SID}={cookie.value}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
    assert (cookie.output(header=""), cookie.OutputString()) == (sent, sent)


def test_whether_there_is_anything_is_a_look_at_the_session(serve: Callable[..., Browser]) -> None:
    found: list[bool] = []
    browser = serve(page(lambda request: found.append(request.session.is_empty())))
    browser.get("/page")
    browser.get("/login")
    browser.get("/page")
    assert found == [True, False]


def test_a_test_client_may_give_a_header_that_is_none(serve: Callable[..., Browser]) -> None:
    browser = serve()
    browser.get("/login")
    assert browser.get("/look", HTTP_REMOTE_USER=None).status_code == 200


def test_a_response_with_a_session_cookie_is_not_copied(serve: Callable[..., Browser]) -> None:
    """Fails when a cache that pickles responses may keep one client's token for others."""
    response = serve().get("/login")
    for copied in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="nobody else's"):
            copied(response.cookies[SID])


def test_another_session_in_the_place_of_the_requests_is_refused(
    serve: Callable[..., Browser],
) -> None:
    """Fails when it is neither saved nor handed out, without a word; another request's is one."""
    others: list[Any] = []

    def replace(request: HttpRequest) -> None:
        others.append(request.session)
        request.session = make() if len(others) == 1 else others[0]

    browser = serve(page(replace))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="was replaced"):
            browser.get("/page")


def test_the_class_of_the_session_gives_it_again_by_its_key(
    serve: Callable[..., Browser], sessions: BlockingSessions
) -> None:
    """Extensions load anew what they saved. Fails when that is another session, or an error."""

    def load_again(request: HttpRequest) -> None:
        request.session.save()
        assert type(request.session)(request.session.session_key) is request.session, "empty, too"
        request.session["state"] = 1
        request.session.save()
        request.session = type(request.session)(request.session.session_key)
        request.session["more"] = request.session["state"] + 1

    browser = serve(page(load_again))
    assert browser.get("/page").json() == {"state": 1, "more": 2}
    assert browser.get("/look").json() == {"state": 1, "more": 2}
    assert sessions.count() == 1


def test_the_class_of_the_session_opens_others_by_their_keys(
    serve: Callable[..., Browser],
) -> None:
    """Fails when it opens none, or when what is put in the request's place is taken."""
    keys: list[str | None] = []

    def note(request: HttpRequest) -> None:
        request.session["hat"] = 1
        request.session.save()
        keys.append(request.session.session_key)

    def other(request: HttpRequest) -> None:
        request.session["mine"] = 1
        store = type(request.session)(keys[0])
        assert (type(store), dict(store.items())) == (type(make()), {"hat": 1})
        assert type(request.session)().is_empty()

    def replace(request: HttpRequest) -> None:
        assert "mine" not in request.session
        request.session = type(request.session)(keys[0])

    browser = serve(page(note, "note"), page(other, "other"), page(replace, "replace"))
    browser.get("/note")
    Browser().get("/other")
    with pytest.raises(RuntimeError, match="was replaced"):
        Browser().get("/replace")


async def test_another_session_is_refused_in_an_event_loop_too(
    serve: Callable[..., Browser],
) -> None:
    async def replace(request: HttpRequest) -> HttpResponse:
        request.session = make()
        await request.session.aset("hat", 1)
        return HttpResponse()

    serve(path("page", replace))
    with pytest.raises(RuntimeError, match="was replaced"):
        await AsyncClient().get("/page")


def test_what_is_no_session_there_keeps_nothing_from_being_saved(
    serve: Callable[..., Browser],
) -> None:
    """Fails when the middleware saves nothing but what it finds in the request in the end."""

    def replace(request: Any) -> HttpResponse:
        request.session["hat"] = 1
        request.session = {}
        return HttpResponse()

    browser = serve(path("page", replace))
    browser.get("/page")
    assert browser.get("/look").json() == {"hat": 1}


def test_what_other_middleware_puts_among_the_cookies_opens_nothing(
    serve: Callable[..., Browser],
) -> None:
    browser = serve()
    browser.get("/login")
    found: list[str | None] = []

    def ask(request: HttpRequest) -> HttpResponse:
        found.append(session_of(request).subject)
        return HttpResponse()

    ours = import_string(OUR_SESSIONS)(ask)
    request = RequestFactory().get("/look", secure=True)
    request.COOKIES[SID] = browser.tokens[SID]
    ours(request)
    ours(RequestFactory().get("/look", secure=True, HTTP_COOKIE=f"{SID}={browser.tokens[SID]}"))
    assert found == [None, "alice"]


def test_the_session_of_a_request_loads_what_is_stored(serve: Callable[..., Browser]) -> None:
    """Fails when `load` returns what is not saved yet."""
    found: list[dict[str, Any]] = []

    def ask(request: HttpRequest) -> None:
        found.append(request.session.load())
        request.session["hat"] = 1
        found.append(request.session.load())
        request.session.save()
        found.append(request.session.load())
        request.session["coat"] = 2
        found.append(request.session.load())
        request.session.clear_expired()

    browser = serve(page(ask))
    assert browser.get("/page").json() == {"hat": 1, "coat": 2}
    assert found == [{}, {}, {"hat": 1}, {"hat": 1}]
