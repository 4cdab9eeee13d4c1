"""Flask, by its own session interface."""

import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any, cast
from wsgiref.util import FileWrapper

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    copy_current_request_context,
    flash,
    g,
    get_flashed_messages,
    render_template_string,
    request,
    send_file,
    session,
    stream_with_context,
)
from flask.sessions import SecureCookieSessionInterface
from flask.signals import request_finished
from markupsafe import Markup
from werkzeug.test import EnvironBuilder

from coatcheck import BlockingSessions, Policy, Sessions
from coatcheck.core.events import Happened
from coatcheck.errors import ConfigurationError, InsecureTransport, StoreUnavailable
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import BrowserContract, Driver, Pages, WsgiDriver
from coatcheck.web.flask import SessionInterface, session_of
from coatcheck.web.wsgi import SessionMiddleware
from tests.frameworks.flask_site import NOTHING, READ, Site, copy, json, lines, token


class TestFlask(BrowserContract):
    def serve(self, pages: Pages, parts: dict[str, Any]) -> Driver:
        app = Flask(__name__)
        app.session_interface = SessionInterface(app, BlockingSessions(**parts))

        @app.route("/<path:path>", methods=["GET", "POST"])
        def page(path: str) -> Response:
            page = pages.answer(f"/{path}", request.query_string.decode(), session_of)
            if page.chunks:
                return Response(page.chunks())
            return Response(page.body, page.status)

        return WsgiDriver(app)


# What Flask promises about `flask.session`


def test_nested_changes_are_saved_without_a_word() -> None:
    site = Site()

    @site.app.get("/put")
    def put() -> str:
        session.setdefault("cart", {})["hat"] = [1]
        return ""

    @site.app.get("/more")
    def more() -> list[bool]:
        before = session.modified
        session["cart"]["hat"].append(2)
        after = session.modified
        session.modified = True
        return [before, after, session.new, session.accessed]

    @site.app.get("/cart")
    def cart() -> dict[str, Any]:
        return dict(session)

    client = site.client()
    client.get("/put")
    assert client.get("/more").json == [False, True, False, True]
    assert client.get("/cart").json == {"cart": {"hat": [1, 2]}}


def test_messages_are_shown_once() -> None:
    """HTML comes back as HTML: fails when `Markup` is not stored as such."""
    site = Site()

    @site.app.get("/flash")
    def put() -> str:
        flash("plain <b>", "warning")
        flash(Markup("<b>bold</b>"))
        return ""

    @site.app.get("/show")
    def show() -> str:
        return render_template_string(
            "{% for c, m in get_flashed_messages(with_categories=true) %}{{c}}:{{m}} {% endfor %}"
        )

    client = site.client()
    client.get("/flash")
    answer = client.get("/show")
    assert answer.text == "warning:plain &lt;b&gt; message:<b>bold</b> "
    assert "Max-Age=0" in lines(answer)[0][0], "a visitor for whom nothing is left"
    assert client.get("/show").text == ""
    assert site.subjects == []


@pytest.mark.parametrize(
    "said", [{"title": "hello"}, {"__html__": "<script>"}, {"__html__": ["<script>"]}, None, [1]]
)
def test_a_message_that_is_no_text_comes_back_as_it_was(said: Any) -> None:
    """As of Flask's own sessions. Fails when whatever is a dict is taken for HTML."""
    site = Site()
    shown: list[Any] = []

    @site.app.get("/flash/<what>")
    def put(what: str) -> str:
        flash(said if what == "it" else what)
        return ""

    @site.app.get("/show")
    def show() -> str:
        shown.extend(get_flashed_messages())
        return ""

    client = site.client()
    for path in ("/flash/it", "/flash/again", "/show"):
        assert client.get(path).status_code == 200
    assert shown == [said, "again"]
    assert type(shown[0]) is type(said)


def test_a_session_transaction_reads_and_writes() -> None:
    """Fails when the teardown of its first context forgets the session."""
    site = Site()

    @site.app.get("/cart")
    def cart() -> Any:
        return dict(session)

    client = site.client()
    with client.session_transaction() as opened:
        opened["cart"] = {"hat": 1}
    assert client.get("/cart").json == {"cart": {"hat": 1}}
    with client.session_transaction() as opened:
        assert opened.pop("cart") == {"hat": 1}
        session_of(opened).sign_in("alice")
    assert site.subjects == ["alice"]
    with client.session_transaction() as opened:
        assert session_of(opened).require_subject() == "alice"


def test_a_session_transaction_works_in_development() -> None:
    """Fails when a request that the test client says no address of is anybody's."""
    app = Flask(__name__)
    app.testing = True
    SessionInterface(app, BlockingSessions(MemoryStore()), development=True)

    @app.get("/cart")
    def cart() -> Any:
        return dict(session)

    client = app.test_client()
    with client.session_transaction() as opened:
        opened["cart"] = {"hat": 1}
    assert client.get("/cart").json == {"cart": {"hat": 1}}
    with client.session_transaction() as opened:
        opened.clear()
    assert client.get("/cart").json == {}


def test_a_request_without_an_address_is_no_development_unless_it_is_tested() -> None:
    app = Flask(__name__)
    SessionInterface(app, BlockingSessions(MemoryStore()), development=True)
    with pytest.raises(InsecureTransport), app.test_client().session_transaction() as opened:
        opened["cart"] = {"hat": 1}


def test_whether_somebody_looked_may_be_asked() -> None:
    """Fails when the question is a look itself, and every response depends on the session."""
    site = Site()
    found: list[bool] = []

    @site.app.get("/hello")
    def hello() -> str:
        return "hello"

    @site.app.get("/put")
    def put() -> str:
        session["hat"] = 1
        return ""

    @site.app.after_request
    def ask(response: Response) -> Response:
        opened: Any = site.app.session_interface.open_session(site.app, request)
        found.append(opened.accessed)
        return response

    client = site.client()
    assert "Vary" not in client.get("/hello").headers
    assert "Vary" in client.get("/put").headers
    assert found == [False, True]


def test_what_a_request_left_can_be_looked_at_in_a_test() -> None:
    """Fails when a first look after a response that is no stream is refused."""
    site = Site()

    @site.app.get("/")
    def hello() -> str:
        return "hello"

    @site.app.get("/put")
    def put() -> str:
        session["a"] = 1
        return ""

    with site.client() as client:
        assert lines(client.get("/")) == NOTHING
        assert "a" not in session
        client.get("/put")
        assert session["a"] == 1
        with site.client() as other:
            other.get("/put")
            assert session["a"] == 1


def test_a_test_context_has_a_session() -> None:
    site = Site()
    with site.app.test_request_context():
        session["a"] = 1
        assert dict(session) == {"a": 1}
    assert site.subjects == []


def test_events_of_one_environ_have_the_session_as_it_is_by_then() -> None:
    """As a socket's have, whose handshake's token is long replaced.

    Fails when the session of the first serves them all, and when the old token opens it.
    """
    site = Site()

    @site.app.get("/set/<value>")
    def put(value: str) -> str:
        session["value"] = value
        if session_of().subject is None:
            session_of().sign_in("alice")
        return ""

    @site.app.get("/out")
    def out() -> str:
        session_of().end()
        return ""

    client = site.client()
    client.get("/set/old")
    environ = EnvironBuilder(base_url="https://localhost").get_environ()
    environ["HTTP_COOKIE"] = f"__Host-sid={token(client)}"

    def event(value: str | None = None) -> tuple[Any, str | None]:
        with site.app.request_context(environ):
            before = session.get("value")
            if value is not None:
                session["value"] = value
                site.app.session_interface.save_session(
                    site.app, cast("Any", session)._get_current_object(), Response()
                )
            return before, session_of().subject

    assert event() == ("old", "alice")
    for _ in range(4):  # each time with another token
        site.clock.move(minutes=16)
        client.get("/set/new")
    assert event("newer") == ("new", "alice")
    assert event() == ("newer", "alice")
    assert Happened.REPLAYED not in site.kinds
    client.get("/out")
    assert event("too late") == (None, None)
    assert site.subjects == []


def test_an_event_while_the_store_is_away_says_so() -> None:
    site = Site()

    @site.app.get("/set")
    def put() -> str:
        session["value"] = 1
        return ""

    client = site.client()
    client.get("/set")
    environ = EnvironBuilder(base_url="https://localhost").get_environ()
    environ["HTTP_COOKIE"] = f"__Host-anon={token(client, '__Host-anon')}"
    with site.app.request_context(environ):
        assert session["value"] == 1
    site.store.is_away = True
    with site.app.request_context(environ), pytest.raises(StoreUnavailable):
        assert session["value"]


def form_token() -> str:
    """Make a token for a form as Flask-WTF does: one a request, by what the session holds."""
    if "csrf_token" not in g:
        g.csrf_token = session.setdefault("csrf_token", token_hex())
    made: str = g.csrf_token
    return made


@pytest.mark.parametrize("how", ["in", "out"])
def test_a_form_in_the_answer_to_a_login_or_logout_is_good(how: str) -> None:
    """Fails when its token is that of the session which was left."""
    site = Site()

    @site.app.get("/form")
    def form() -> str:
        return form_token()

    @site.app.get("/<how>")
    def change(how: str) -> list[str]:
        before = form_token()
        if how == "in":
            session_of().sign_in("alice")
        else:
            session_of().end()
        return [before, form_token()]

    client = site.client()
    shown = client.get("/form").text
    before, after = json(client.get(f"/{how}"))
    assert before == shown != after
    assert client.get("/form").text == after


def test_who_logs_in_again_keeps_the_forms() -> None:
    """The session stays the user's. Fails when every login makes another token."""
    site = Site()

    @site.app.get("/in")
    def log_in() -> list[str]:
        session_of().sign_in("alice")
        before = form_token()
        session_of().sign_in("alice")
        return [before, form_token()]

    before, after = json(site.client().get("/in"))
    assert before == after


def test_a_request_that_is_sent_again_is_another_one() -> None:
    """Fails when the session of the first is found in the copied environ."""
    site = Site()

    @site.app.get("/count")
    def count() -> list[int]:
        session["n"] = session.get("n", 0) + 1
        return [session["n"]]

    with site.client() as client:
        client.get("/count")
        served: Any = request
        again = site.client().open(served._get_current_object())
    assert again.json == [1], "the other browser has no cookie"
    assert len(site.subjects) == 2


# Settings

SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({}, "__Host-anon=T; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ({"SESSION_COOKIE_NAME": "cart"}, "cart-anon=T; Path=/; Secure; HttpOnly; SameSite=Lax"),
    (
        {"SESSION_COOKIE_PATH": "/shop"},
        "__Secure-sid-anon=T; Path=/shop; Secure; HttpOnly; SameSite=Lax",
    ),
    ({"SESSION_COOKIE_PATH": "/"}, "__Host-anon=T; Path=/; Secure; HttpOnly; SameSite=Lax"),
    (
        {"SESSION_COOKIE_DOMAIN": ".example.com"},
        "__Secure-sid-anon=T; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
    ),
    ({"SESSION_COOKIE_DOMAIN": False}, "__Host-anon=T; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ({"SESSION_COOKIE_SECURE": True}, "__Host-anon=T; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ({"SESSION_COOKIE_HTTPONLY": False}, "__Host-anon=T; Path=/; Secure; SameSite=Lax"),
    (
        {"SESSION_COOKIE_SAMESITE": "strict"},
        "__Host-anon=T; Path=/; Secure; HttpOnly; SameSite=Strict",
    ),
    (
        {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_PARTITIONED": True},
        "__Host-anon=T; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
    ),
    (
        {"SESSION_REFRESH_EACH_REQUEST": False},
        "__Host-anon=T; Path=/; Secure; HttpOnly; SameSite=Lax",
    ),
]


@pytest.mark.parametrize(("settings", "cookie"), SETTINGS)
def test_cookie_settings_hold(settings: dict[str, Any], cookie: str) -> None:
    site = Site(settings)

    @site.app.get("/")
    def put() -> str:
        session["a"] = 1
        return ""

    (line,) = site.client().get("/").headers.getlist("Set-Cookie")
    name, _, rest = line.partition("=")
    assert f"{name}=T;{rest.partition(';')[2]}" == cookie


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"SESSION_COOKIE_SAMESITE": "never"}, "SESSION_COOKIE_SAMESITE: 'Never' is not Lax"),
        ({"SESSION_COOKIE_NAME": "a b"}, "SESSION_COOKIE_NAME: 'a b' is no cookie name"),
        (
            {"SESSION_COOKIE_NAME": "__Host-x", "SESSION_COOKIE_PATH": "/shop"},
            "SESSION_COOKIE_PATH: __Host- needs the path /",
        ),
        ({"PERMANENT_SESSION_LIFETIME": 10**6}, "longer than Policy.absolute: set that as well"),
        ({"PERMANENT_SESSION_LIFETIME": 0}, "PERMANENT_SESSION_LIFETIME: is below a second"),
        ({"PERMANENT_SESSION_LIFETIME": "1h"}, "'1h' is no timedelta, nor seconds"),
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Site(settings)


@pytest.mark.parametrize(
    ("settings", "age"),
    [({}, 43200), ({"PERMANENT_SESSION_LIFETIME": timedelta(hours=1)}, 3600)],
)
def test_a_permanent_session_outlives_the_browser(settings: dict[str, Any], age: int) -> None:
    """Also where nothing is in it but its user. A change of it holds for the next token.

    Fails when it retires the token, and with it the requests under way.
    """
    site = Site(settings)

    @site.app.get("/login")
    def login() -> str:
        session.permanent = True
        session_of().sign_in("alice")
        return ""

    @site.app.get("/rotate")
    def rotate() -> str:
        session_of().privilege_changed()
        return ""

    @site.app.get("/permanent/<int:value>")
    def permanent(value: int) -> list[bool]:
        session.permanent = bool(value)
        return [session.permanent]

    @site.app.get("/clear")
    def clear() -> str:
        session.clear()
        return ""

    client = site.client()
    assert f"Max-Age={age};" in lines(client.get("/login"))[0][0]
    assert lines(client.get("/permanent/1"))[0] == []
    assert lines(client.get("/permanent/0"))[0] == []
    assert site.subjects == ["alice"]
    assert "Max-Age" not in lines(client.get("/rotate"))[0][0]
    assert lines(client.get("/permanent/1"))[0] == []
    assert f"Max-Age={age};" in lines(client.get("/rotate"))[0][0]
    client.get("/clear")
    assert site.subjects == [], "clear() ends it, whatever was said about the cookie"
    visitor = site.client()
    assert lines(visitor.get("/permanent/1"))[0] == [], "that alone is worth no session"
    assert site.subjects == []


def test_a_permanent_visitor_for_whom_nothing_is_left_is_forgotten() -> None:
    site = Site()

    @site.app.before_request
    def always() -> None:
        session.permanent = True

    @site.app.get("/put")
    def put() -> str:
        session["cart"] = 1
        return ""

    @site.app.get("/drop")
    def drop() -> str:
        del session["cart"]
        return ""

    client = site.client()
    client.get("/put")
    assert "Max-Age=0;" in lines(client.get("/drop"))[0][0]
    assert site.subjects == []


# What says that a response depends on the session


def test_only_a_look_makes_a_response_depend_on_the_session() -> None:
    site = Site()

    @site.app.get("/nobody")
    def nobody() -> str:
        return render_template_string("hello")

    @site.app.get("/template")
    def template() -> str:
        return render_template_string("{{ session.get('name', 'you') }}")

    @site.app.get("/flashes")
    def flashes() -> str:
        return repr(get_flashed_messages())

    @site.app.get("/repr")
    def shown() -> str:
        return repr(session)

    @site.app.get("/public")
    def public() -> Response:
        return Response(session.get("a", ""), headers={"Cache-Control": "public"})

    client = site.client()
    client.set_cookie("__Host-sid", f"{'a' * 22}.{'b' * 22}.{'c' * 43}")
    assert lines(client.get("/nobody")) == NOTHING
    assert lines(client.get("/static/none.css")) == NOTHING
    assert lines(client.get("/repr")) == NOTHING
    client = site.client()
    for path in ("/template", "/flashes"):
        assert lines(client.get(path)) == READ
    assert lines(client.get("/public")) == ([], ["Cookie"], ["public"])


# Misuse


def test_a_session_outside_a_request_is_refused() -> None:
    with pytest.raises(RuntimeError, match="outside of request context"):
        session_of()


def test_the_session_of_another_interface_is_refused() -> None:
    app = Flask("plain")
    app.secret_key = "x"
    with app.test_request_context(), pytest.raises(RuntimeError, match="give the app to coatcheck"):
        session_of()


def test_two_adapters_around_one_application_are_refused() -> None:
    site = Site({"PROPAGATE_EXCEPTIONS": True})
    with pytest.raises(ConfigurationError, match="one SessionInterface for each app"):
        SessionInterface(site.app, site.sessions)
    middleware = SessionMiddleware(site.app.wsgi_app, sessions=site.sessions)
    cast("Any", site.app).wsgi_app = middleware
    with pytest.raises(ConfigurationError, match="leave the outer one out"):
        site.client().get("/")


def test_the_interface_of_another_application_is_refused() -> None:
    site = Site()
    other = Flask("other")
    other.session_interface = site.app.session_interface
    other.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ConfigurationError, match="'other': it needs a SessionInterface of its own"):
        other.test_client().get("/")


def test_wrong_arguments_are_refused() -> None:
    anything: Any = Flask("x")
    with pytest.raises(ConfigurationError, match="sessions: Flask needs BlockingSessions"):
        SessionInterface(anything, cast("Any", Sessions(MemoryStore())))
    with pytest.raises(ConfigurationError, match=r"app: .* is no Flask application"):
        SessionInterface(anything.wsgi_app, BlockingSessions(MemoryStore()))


def test_plain_http_is_told_what_to_do() -> None:
    site = Site({"TESTING": True})

    @site.app.get("/")
    def put() -> str:
        session["a"] = 1
        return ""

    with pytest.raises(InsecureTransport, match="https://"):
        site.client().get("/", base_url="http://localhost")


def test_a_null_session_is_one() -> None:
    site = Site()
    interface = site.app.session_interface
    assert interface.is_null_session(interface.make_null_session(site.app))
    with site.app.test_request_context():
        assert not interface.is_null_session(cast("Any", session)._get_current_object())
        assert not session_of().state.cookies
    assert isinstance(Flask("x").session_interface, SecureCookieSessionInterface)


def test_a_value_that_cannot_be_stored_is_named_and_fails_the_request() -> None:
    """The response is Flask's own 500; fails when the second finalization finds no session."""
    site = Site()

    @site.app.get("/")
    def put() -> str:
        session["a"] = object()
        return ""

    answer = site.client().get("/")
    assert (answer.status_code, lines(answer)) == (500, READ)
    site.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(TypeError, match="session key 'a'"):
        site.client().get("/")


def test_a_response_that_serves_several_requests_hands_nothing_over_twice() -> None:
    """Fails when the second visitor gets the first one's cookie."""
    site = Site()
    shared, harmless = Response("shared"), Response("harmless")

    @site.app.get("/shared")
    def one() -> Response:
        if "put" in request.args:
            session["a"] = 1
        return shared

    @site.app.get("/harmless")
    def other() -> Response:
        session.get("a")
        return harmless

    (first,) = lines(site.client().get("/shared?put"))[0]
    for path, cookies in (("/shared", 0), ("/shared?put", 1)):
        answer = site.client().get(path)
        assert (answer.status_code, len(lines(answer)[0])) == (500, cookies)
        assert first not in lines(answer)[0]
    for _ in range(2):
        assert lines(site.client().get("/harmless")) == READ


# Streams


@pytest.mark.parametrize("wrap", [iter, stream_with_context])
def test_changes_during_a_stream_are_reported(wrap: Callable[[Any], Any]) -> None:
    site = Site()

    @site.app.get("/stream")
    def stream() -> Response:
        opened = session_of()

        def chunks() -> Generator[str]:
            yield "one "
            opened["late"] = True
            yield "two"

        return Response(wrap(chunks()))

    assert site.client().get("/stream", buffered=True).text == "one two"
    assert site.kinds.count(Happened.UNSAVED) == 1
    assert site.subjects == []


def test_a_first_look_in_a_stream_is_refused() -> None:
    """The headers are gone, and did not say that the response depends on the session."""
    site = Site()

    @site.app.get("/stream")
    def stream() -> Response:
        def chunks() -> Generator[str]:
            yield "one "
            yield session.get("a", "")

        return Response(stream_with_context(chunks()))

    with pytest.raises(RuntimeError, match="looked at for the first time after the response"):
        site.client().get("/stream", buffered=True)


def test_what_is_committed_by_hand_during_a_stream_is_kept() -> None:
    site = Site()

    @site.app.get("/stream")
    def stream() -> Response:
        opened = session_of()
        opened.sign_in("alice")

        def chunks() -> Generator[str]:
            yield "one "
            opened["late"] = True
            site.sessions.commit(opened)
            yield "two"

        return Response(stream_with_context(chunks()))

    client = site.client()
    client.get("/stream", buffered=True)
    assert Happened.UNSAVED not in site.kinds
    with client.session_transaction() as opened:
        assert opened["late"] is True


# Flask's hooks, in the order in which it calls them


def test_functions_after_the_request_are_part_of_it() -> None:
    site = Site()

    @site.app.after_request
    def after(response: Response) -> Response:
        response.headers["X-Seen"] = str(session.get("n", 0))
        session["n"] = session.get("n", 0) + 1
        return response

    @site.app.get("/")
    def hello() -> str:
        return "hello"

    client = site.client()
    assert [client.get("/").headers["X-Seen"] for _ in range(3)] == ["0", "1", "2"]
    assert client.get("/nowhere").headers["X-Seen"] == "3"


def test_a_listener_may_look_and_its_changes_are_reported() -> None:
    """A signal comes after the commit. Fails when only functions of teardown are thought of."""
    site = Site()

    def change(_: Flask, **__: object) -> None:
        session["late"] = True

    site.app.add_url_rule("/", "hello", lambda: str(session.get("a")))
    with request_finished.connected_to(change, site.app):
        site.client().get("/")
    assert site.kinds.count(Happened.UNSAVED) == 1


def test_what_a_thread_changes_in_a_copy_of_the_request_is_reported() -> None:
    """Fails when every teardown takes it that nobody could change anything."""
    site = Site()
    later: list[Callable[[], None]] = []

    def change() -> None:
        session["late"] = True

    @site.app.get("/")
    def hello() -> str:
        later.append(copy_current_request_context(change))
        return str(session.get("a"))

    site.client().get("/")
    assert Happened.UNSAVED not in site.kinds
    thread = threading.Thread(target=later[0])
    thread.start()
    thread.join()
    assert site.kinds.count(Happened.UNSAVED) == 1


def test_teardown_may_look_and_its_changes_are_reported() -> None:
    site = Site()
    seen: list[Any] = []

    @site.app.teardown_request
    def down(_: BaseException | None) -> None:
        seen.append(session.get("a"))
        if request.path == "/late":
            session["late"] = True

    for path in ("/", "/late"):
        site.app.add_url_rule(path, path, lambda: "hello")
    client = site.client()
    assert lines(client.get("/")) == NOTHING
    assert Happened.UNSAVED not in site.kinds
    client.get("/late")
    assert site.kinds.count(Happened.UNSAVED) == 1
    assert seen == [None, None]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/file", "/stream"])
def test_teardown_may_look_although_the_body_is_sent_later(path: str, method: str) -> None:
    """As it runs before. Fails when the commit of a stream forbids it: every static file is one."""
    site = Site()
    seen: list[Any] = []

    @site.app.teardown_request
    def down(_: BaseException | None) -> None:
        seen.append(session.get("a"))
        session["late"] = True

    site.app.add_url_rule("/file", "file", lambda: send_file(__file__))
    site.app.add_url_rule("/stream", "stream", lambda: iter("abc"))
    with site.client().open(path, method=method) as answer:
        assert answer.status_code == 200
        assert "Cookie" not in answer.vary
        assert answer.data in (b"abc", Path(__file__).read_bytes(), b"")
    assert seen == [None]
    assert site.kinds.count(Happened.UNSAVED) == 1


@pytest.mark.parametrize("keeps_context", [True, False])
def test_a_stream_does_not_see_what_teardown_looked_at(keeps_context: bool) -> None:
    """R-079. Fails when that look is one for the stream, whose headers do not say so."""
    site = Site()
    seen: list[Any] = []

    @site.app.teardown_request
    def down(_: BaseException | None) -> None:
        if not seen:  # and not again when the stream is over
            seen.append(session.get("cart"))

    @site.app.get("/page")
    def page() -> Response:
        opened: Any = cast("Any", session)._get_current_object()

        def chunks() -> Generator[str]:
            yield "the cart: "
            yield str(opened.get("cart"))

        made = stream_with_context(chunks()) if keeps_context else chunks()
        return Response(made, headers={"Cache-Control": "public, max-age=60"})

    with pytest.raises(RuntimeError, match="looked at for the first time after the response"):
        site.client().get("/page").get_data()
    assert seen == [None]


def test_no_cache_of_its_own_rules_stores_a_token() -> None:
    """Fails when only `Cache-Control` is looked at."""
    site = Site()

    @site.app.get("/")
    def login() -> Response:
        session_of().sign_in("alice")
        return Response(headers={"X-LiteSpeed-Cache-Control": "max-age=600"})

    answer = site.client().get("/")
    assert "X-LiteSpeed-Cache-Control" not in answer.headers
    assert lines(answer)[2] == ["no-store"]


def test_a_file_is_left_to_the_server_to_send() -> None:
    """Fails when its body is wrapped, as those of other streams are."""
    site = Site()
    site.app.add_url_rule("/", "file", lambda: (session.get("a"), send_file(__file__))[1])
    builder = EnvironBuilder("/", base_url="https://localhost")
    environ = {**builder.get_environ(), "wsgi.file_wrapper": FileWrapper}

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return None

    body = site.app(environ, start)
    assert isinstance(body, FileWrapper)
    body.close()


def test_signals_see_the_session() -> None:
    site = Site()
    seen: list[Any] = []

    def finished(_: Flask, response: Response, **__: Any) -> None:
        seen.append((session["a"], "Set-Cookie" in response.headers))

    @site.app.get("/")
    def put() -> str:
        session["a"] = 1
        return ""

    with request_finished.connected_to(finished, site.app):
        site.client().get("/")
    assert seen == [(1, True)]


def test_blueprints_and_handlers_use_the_session() -> None:
    site = Site()
    part = Blueprint("part", "part")

    @part.before_request
    def before() -> None:
        session["before"] = True

    @part.get("/fails")
    def fails() -> str:
        raise LookupError

    @part.errorhandler(LookupError)
    def handle(_: LookupError) -> tuple[str, int]:
        session["handled"] = True
        return "sorry", 404

    @site.app.errorhandler(500)
    def broken(_: Exception) -> tuple[str, int]:
        session["broken"] = True
        return f"broken {sorted(session)}", 500

    @site.app.get("/broken")
    def view() -> str:
        raise ZeroDivisionError

    site.app.register_blueprint(part, url_prefix="/part")
    client = site.client()
    assert client.get("/part/fails").status_code == 404
    assert client.get("/broken").text == "broken ['before', 'broken', 'handled']"
    with client.session_transaction() as opened:
        assert dict(opened) == {"before": True, "handled": True}


@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_an_end_holds_whatever_the_view_raises(propagate: bool, error: type[BaseException]) -> None:
    """Fails when `teardown_request` does not see to it, as Flask then makes no response at all."""
    site = Site({"PROPAGATE_EXCEPTIONS": propagate})

    @site.app.get("/login")
    def login() -> str:
        session_of().sign_in("alice")
        return ""

    @site.app.get("/fail")
    def fail() -> str:
        session["half"] = True
        if "end" in request.args:
            session_of().end()
        raise error

    client = site.client()
    client.get("/login")
    for query, left in (("", ["alice"]), ("?end", [])):
        with suppress(ZeroDivisionError, SystemExit):
            client.get("/fail" + query)
        assert site.subjects == left


def test_an_error_before_the_view_ends_in_a_response() -> None:
    site = Site()

    @site.app.before_request
    def before() -> None:
        session["a"] = 1
        raise ZeroDivisionError

    site.app.add_url_rule("/", "hello", lambda: "hello")
    answer = site.client().get("/")
    assert (answer.status_code, lines(answer)) == (500, READ)
    assert site.subjects == []


def test_a_thread_with_a_copy_of_the_context_leaves_the_request_its_session() -> None:
    """Fails when the copy's teardown forgets the session, or ends it before the request does."""
    site = Site()

    @site.app.get("/login")
    def login() -> str:
        session_of().sign_in("alice")
        return ""

    @site.app.get("/")
    def view() -> str:
        session_of().end()
        session["before"] = True

        @copy_current_request_context
        def work() -> None:
            session["thread"] = True

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert site.subjects == ["alice"]
        session["after"] = True
        return ""

    client = site.client()
    client.get("/login")
    client.get("/")
    assert site.subjects == [None]
    with client.session_transaction() as opened:
        assert dict(opened) == {"before": True, "thread": True, "after": True}


def test_one_application_in_another_keeps_the_two_apart() -> None:
    site = Site(policy=Policy(idle=timedelta(minutes=5)))
    other = Site()

    @other.app.get("/")
    def inner() -> str:
        session["inner"] = True
        return ""

    @site.app.get("/")
    def outer() -> str:
        session["outer"] = True
        other.client().get("/")
        return ",".join(session)

    client = site.client()
    assert client.get("/").text == "outer"
    assert len(site.subjects) == len(other.subjects) == 1
    thief = copy(client, site)
    assert token(thief, "__Host-anon") == token(client, "__Host-anon")
