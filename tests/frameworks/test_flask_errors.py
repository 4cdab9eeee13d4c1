"""Errors of the session in Flask: wherever they leave it, and whoever answers them."""

from typing import Any

import pytest
from flask import Flask, Response, flash, request, session

from coatcheck import Policy
from coatcheck.errors import (
    SessionTooLarge,
    StoreUnavailable,
    Superseded,
    Unauthenticated,
)
from coatcheck.web.flask import session_of
from tests.frameworks.flask_site import READ, Site, json, lines


def shop(site: Site) -> Site:
    @site.app.get("/login")
    def login() -> str:
        session_of().sign_in("alice")
        session["cart"] = {}
        return ""

    @site.app.get("/me")
    def me() -> str:
        session["half"] = True
        return session_of().require_subject()

    @site.app.get("/put")
    def put() -> str:
        session["cart"]["hat"] = 1
        if "meanwhile" in request.args:
            (info,) = site.sessions.list("alice")
            other = site.sessions.end_all if request.args["meanwhile"] == "end" else None
            if other:
                other("alice")
            else:
                supersede(site, info.id)
        return "done"

    @site.app.get("/data")
    def data() -> dict[str, Any]:
        return dict(session)

    @site.app.get("/hello")
    def hello() -> str:
        return "hello"

    return site


def supersede(site: Site, id: str) -> None:
    """Let another request of the same session change its token."""
    browser = site.app.extensions["browser"]
    opened = site.app.test_client()
    opened.set_cookie("__Host-sid", browser.get_cookie("__Host-sid").value)
    with opened.session_transaction() as other:
        session_of(other).privilege_changed()
    site.app.extensions["newer"] = opened


@pytest.fixture
def site() -> Site:
    return shop(Site())


def test_without_handlers_the_library_answers(site: Site) -> None:
    browser = site.app.extensions["browser"] = site.client()
    answer = browser.get("/me")
    assert (answer.status_code, lines(answer)) == (401, READ)
    assert answer.json == {"error": "please log in first"}
    assert site.subjects == [], "what the view put in before it failed is dropped"
    browser.get("/login")
    answer = browser.get("/put?meanwhile=rotate")
    assert (answer.status_code, lines(answer)) == (409, READ)
    assert answer.json == {"error": "the session changed meanwhile, please try again"}
    site.store.is_away = True
    assert browser.get("/me").status_code == 503


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_applications_own_handlers_win(when: str) -> None:
    """Registered before the interface or after it, for an error of the view or of the commit."""

    def register(app: Flask) -> None:
        @app.errorhandler(Unauthenticated)
        def unauthenticated(_: Unauthenticated) -> tuple[str, int, dict[str, str]]:
            flash("log in")
            return "mine", 302, {"Location": "/login"}

        @app.errorhandler(Superseded)
        def superseded(_: Superseded) -> tuple[str, int]:
            flash("again")
            return "mine", 409

        @app.errorhandler(StoreUnavailable)
        def unavailable(_: StoreUnavailable) -> tuple[str, int]:
            return "mine", 503

    site = Site(before=register) if when == "before" else Site()
    if when == "after":
        register(site.app)
    shop(site)
    browser = site.app.extensions["browser"] = site.client()
    answer = browser.get("/me")
    assert (answer.status_code, answer.text) == (302, "mine")
    assert json(browser.get("/data"))["_flashes"] == [["message", "log in"]]
    browser.get("/login")
    answer = browser.get("/put?meanwhile=rotate")
    assert answer.status_code == 409
    assert lines(answer) == READ, "no cookie of a token that is dead"
    assert answer.json == {"error": "the session changed meanwhile, please try again"}, (
        "the handler's own message could not be saved either"
    )
    newer = site.app.extensions["newer"]
    assert json(newer.get("/data"))["cart"] == {}, "what was refused is not in it"
    site.store.is_away = True
    answer = newer.get("/me")
    assert (answer.status_code, answer.text) == (503, "mine")
    assert answer.headers.getlist("Set-Cookie") == []
    site.store.is_away, site.store.is_read_only = False, True
    answer = newer.get("/put")
    assert (answer.status_code, answer.text) == (503, "mine")
    site.store.is_read_only = False
    assert json(newer.get("/data"))["cart"] == {}


def test_a_handler_for_a_commit_that_failed_sees_what_is_stored(site: Site) -> None:
    @site.app.errorhandler(Superseded)
    def superseded(_: Superseded) -> tuple[dict[str, Any], int]:
        return dict(session), 409

    browser = site.app.extensions["browser"] = site.client()
    browser.get("/login")
    answer = browser.get("/put?meanwhile=rotate")
    assert (answer.status_code, answer.json) == (409, {"cart": {}})


def test_a_session_that_is_too_large_can_be_answered(site: Site) -> None:
    site = shop(Site(policy=Policy(max_size=256)))

    @site.app.get("/large")
    def large() -> str:
        session["much"] = "x" * 300
        return ""

    assert site.client().get("/large").status_code == 500

    site = Site(policy=Policy(max_size=256))
    site.app.add_url_rule("/large", "large", large)

    @site.app.errorhandler(SessionTooLarge)
    def too_large(error: SessionTooLarge) -> tuple[str, int]:
        return f"{error.size} of {error.limit}", 413

    answer = site.client().get("/large")
    assert (answer.status_code, answer.text) == (413, "309 of 256")


def test_an_edit_of_a_session_that_ended_is_dropped(site: Site) -> None:
    browser = site.client()
    browser.get("/login")
    answer = browser.get("/put?meanwhile=end")
    assert (answer.status_code, answer.text, lines(answer)[0]) == (200, "done", [])
    assert site.subjects == []


def test_an_outage_found_after_the_view_is_a_503(site: Site) -> None:
    """Fails when an error from a function of `after_request` is left to Flask: a 500."""

    @site.app.after_request
    def after(response: Response) -> Response:
        if request.path != "/static/none.css":
            response.headers["X-User"] = session.get("user", "nobody")
        return response

    browser = site.client()
    site.store.is_away = False
    browser.get("/login")
    site.store.is_away = True
    for path in ("/hello", "/me"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "2"), path
        assert answer.headers.getlist("Set-Cookie") == []
    assert browser.get("/static/none.css").status_code == 404
    site.store.is_away = False
    assert browser.get("/me").text == "alice"


def test_an_outage_found_by_an_error_handler_is_a_503(site: Site) -> None:
    @site.app.errorhandler(404)
    def missing(_: Exception) -> tuple[str, int]:
        return f"nothing here, {session.get('user')}", 404

    @site.app.errorhandler(500)
    def broken(_: Exception) -> tuple[str, int]:
        return f"sorry, {session.get('user')}", 500

    browser = site.client()
    browser.get("/login")
    site.store.is_away = True
    assert browser.get("/nowhere").status_code == 503
    site.store.is_away = False
    assert browser.get("/nowhere").text == "nothing here, None"


def test_a_replaced_response_is_closed_once(site: Site) -> None:
    closed: list[str] = []

    @site.app.get("/file")
    def file() -> Response:
        session["cart"]["hat"] = 1
        response = Response(iter(["a", "b"]))
        response.call_on_close(lambda: closed.append("closed"))
        site.store.is_read_only = True
        return response

    browser = site.client()
    browser.get("/login")
    answer = browser.get("/file", buffered=True)
    assert (answer.status_code, closed) == (503, ["closed"])
    assert answer.json == {"error": "sessions are unavailable for the moment, please try again"}
    assert browser.head("/file").status_code == 503


def test_what_functions_after_a_refusal_put_in_is_not_saved(site: Site) -> None:
    @site.app.after_request
    def after(response: Response) -> Response:
        session["after"] = True
        return response

    browser = site.client()
    assert browser.get("/me").status_code == 401
    assert site.subjects == []


@pytest.mark.parametrize("path", ["/me", "/start"])
def test_an_outage_deletes_nothing_whoever_answers_it(site: Site, path: str) -> None:
    """Not the cookie that opens nothing either: the first request finds out, the second commits."""

    @site.app.errorhandler(StoreUnavailable)
    def unavailable(_: StoreUnavailable) -> tuple[str, int]:
        return "mine", 503

    @site.app.get("/start")
    def start() -> str:
        session["cart"] = {}
        return ""

    browser = site.client()
    if path == "/me":
        browser.get("/start")
        site.store.is_away = True
    browser.set_cookie("__Host-sid", "nothing")
    site.store.is_read_only = True
    answer = browser.get(path)
    assert (answer.text, answer.headers.getlist("Set-Cookie")) == ("mine", [])
