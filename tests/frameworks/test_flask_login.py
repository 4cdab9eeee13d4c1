"""Flask-Login as it is: who logs in is the subject, under a new token; who logs out leaves."""

from typing import Any

import pytest
from flask import Flask, flash, get_flashed_messages, request, session
from flask_login import (
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)

from coatcheck import Happened, Session, Token
from coatcheck.testing import log_in
from coatcheck.web.flask import session_of
from tests.frameworks.flask_site import NOTHING, Site, copy, json, lines, token


class User(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id


def pages(app: Flask) -> None:
    manager = LoginManager(app)
    manager.user_loader(User)

    @app.get("/login/<id>")
    def login(id: str) -> str:
        session["before"] = True
        login_user(User(id), remember="remember" in request.args)
        session["after"] = True
        assert session_of().subject == id
        return ""

    @app.get("/logout")
    def logout() -> str:
        flash("bye")
        logout_user()
        session["left"] = "after"
        return ""

    @app.get("/clear")
    def clear() -> str:
        session.clear()
        flash("bye")
        session["left"] = "after"
        return ""

    @app.get("/me")
    @login_required
    def me() -> dict[str, Any]:
        assert session_of().subject == current_user.id
        return dict(session)

    @app.get("/secret")
    @fresh_login_required
    def secret() -> str:
        return "secret"

    @app.get("/confirm")
    def confirm() -> str:
        confirm_login()
        return ""

    @app.get("/put/<key>")
    def put(key: str) -> str:
        session[key] = 1
        return ""

    @app.get("/say/<message>")
    def say(message: str) -> str:
        flash(message)
        return ""

    @app.get("/data")
    def data() -> dict[str, Any]:
        return dict(session)

    @app.get("/messages")
    def messages() -> list[str]:
        return [str(message) for message in get_flashed_messages()]

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    @app.get("/as/<id>")
    def act_as(id: str) -> str:
        session_of().impersonate(id)
        return ""

    @app.get("/back")
    def back() -> str:
        session_of().stop_impersonating()
        return ""

    @app.get("/update/<id>")
    def update(id: str) -> str:
        session.update(_user_id=id, _fresh=True)
        return ""


def of(session: Session) -> str:
    """Return the token of a session that was just stored."""
    return next(token.reveal() for token in session.state.cookies.values() if token)


@pytest.fixture
def site() -> Site:
    return Site(before=pages)


def test_a_login_takes_the_cart_along_and_a_logout_ends_every_copy(site: Site) -> None:
    browser = site.client()
    browser.get("/put/cart")
    visitor = copy(browser, site)
    browser.get("/login/alice")
    assert site.subjects == ["alice"]
    assert json(browser.get("/me")).items() >= {"cart": 1, "before": True, "after": True}.items()
    assert json(visitor.get("/data")) == {}, "the visitor's token is dead"
    thief = copy(browser, site)
    assert thief.get("/me").status_code == 200
    answer = browser.get("/logout")
    assert "__Host-sid=;" in answer.headers["Set-Cookie"]
    assert json(browser.get("/data")) == {"_flashes": [["message", "bye"]], "left": "after"}
    assert thief.get("/me").status_code == browser.get("/me").status_code == 401
    assert site.subjects == [None]


def test_only_the_messages_of_the_logout_itself_outlive_it(site: Site) -> None:
    """Fails when an old message, perhaps about the user, is shown to whoever comes next."""
    browser = site.client()
    browser.get("/login/alice")
    browser.get("/say/your-balance")
    browser.get("/logout")
    assert json(browser.get("/messages")) == ["bye"]


@pytest.mark.parametrize("path", ["/login", "/update"])
def test_nothing_crosses_to_another_user(site: Site, path: str) -> None:
    browser = site.client()
    for step in ("/login/alice", "/put/secret", "/say/secret"):
        browser.get(step)
    alice = copy(browser, site)
    browser.get(f"{path}/bob")
    expected = {"_user_id"} | ({"_fresh", "_id", "after"} if path == "/login" else set[str]())
    assert json(browser.get("/data")).keys() == expected
    assert alice.get("/me").status_code == 401
    assert site.subjects == ["bob"]


def test_nothing_crosses_through_a_logout_either(site: Site) -> None:
    browser = site.client()
    for step in ("/login/alice", "/put/secret", "/say/secret", "/clear", "/login/bob"):
        browser.get(step)
    left = json(browser.get("/me"))
    assert left.pop("_flashes") == [["message", "bye"]]
    assert left.keys() == {"_user_id", "_fresh", "_id", "before", "after", "left"}


def test_clear_ends_a_users_session(site: Site) -> None:
    browser = site.client()
    browser.get("/login/alice")
    thief = copy(browser, site)
    browser.get("/clear")
    assert site.subjects == [None]
    assert thief.get("/me").status_code == 401
    assert json(browser.get("/messages")) == ["bye"]
    assert json(browser.get("/data"))["left"] == "after"


def test_a_planted_cookie_is_worth_nothing_after_the_login(site: Site) -> None:
    """A visitor's, and that of the attacker's own login."""
    for path in ("/put/planted", "/login/mallory"):
        attacker = site.client()
        attacker.get(path)
        victim = copy(attacker, site)
        victim.get("/login/alice")
        assert json(victim.get("/me"))["_user_id"] == "alice"
        assert attacker.get("/me").status_code == 401
        assert token(victim) != token(attacker)


def test_the_same_user_who_logs_in_again_gets_a_new_token(site: Site) -> None:
    """ASVS 5.0 V7.2.4; fails when only a changed user id counts as a login."""
    browser = site.client()
    browser.get("/login/alice")
    browser.get("/put/cart")
    thief = copy(browser, site)
    site.clock.move(minutes=10)
    for path in ("/login/alice", "/confirm"):
        before = token(browser)
        browser.get(path)
        assert token(browser) != before
        assert thief.get("/me").status_code == 401
    assert json(browser.get("/me"))["cart"] == 1
    (info,) = site.sessions.list("alice")
    assert info.authenticated_at is not None
    assert info.authenticated_at > info.created_at


def test_a_login_whose_session_ends_meanwhile_is_a_login(site: Site) -> None:
    """Fails when the user is put in before the sign-in, and so is lost with what came before."""

    @site.app.after_request
    def meanwhile(response: Any) -> Any:
        if request.path == "/login/alice":
            site.sessions.end(site.sessions.page()[0][0].id)
        return response

    browser = site.client()
    browser.get("/put/cart")
    browser.get("/login/alice")
    assert json(browser.get("/me")).keys() == {"_user_id", "_fresh", "_id", "after"}


def test_two_logins_at_once_over_one_visitor_are_kept_apart(site: Site) -> None:
    browser, other = site.client(), site.client()

    @site.app.after_request
    def meanwhile(response: Any) -> Any:
        if request.path == "/login/alice":
            other.get("/login/bob")
        return response

    browser.get("/put/cart")
    other.set_cookie("__Host-anon", str(token(browser, "__Host-anon")))
    browser.get("/login/alice")
    assert json(browser.get("/me")).keys() == {"_user_id", "_fresh", "_id", "after"}
    assert json(other.get("/me"))["_user_id"] == "bob"
    assert sorted(map(str, site.subjects)) == ["alice", "bob"]


def test_a_remembered_user_is_signed_in_but_not_fresh(site: Site) -> None:
    browser = site.client()
    browser.get("/login/alice?remember")
    assert browser.get("/secret").text == "secret"
    site.clock.move(minutes=31)
    browser.get("/me")
    assert site.sessions.list("alice")
    assert browser.get("/secret").status_code == 401
    before = token(browser)
    browser.get("/confirm")
    assert browser.get("/secret").text == "secret"
    assert token(browser) != before
    browser.get("/logout")
    assert browser.get_cookie("remember_token") is None
    assert browser.get("/me").status_code == 401


@pytest.mark.parametrize(("mode", "status"), [("basic", 200), ("strong", 401)])
def test_session_protection(site: Site, mode: str, status: int) -> None:
    """A changed agent makes the session stale, or ends it."""
    site.app.config["SESSION_PROTECTION"] = mode
    browser = site.client()
    browser.get("/login/alice")
    browser.get("/put/cart")
    other = {"User-Agent": "another"}
    assert browser.get("/me", headers=other).status_code == status
    if mode == "basic":
        assert browser.get("/secret", headers=other).status_code == 401
        assert site.subjects == ["alice"]
    else:
        assert site.subjects == []
        assert json(browser.get("/data")) == {}


def test_a_login_and_a_logout_in_one_request_are_a_logout(site: Site) -> None:
    @site.app.get("/both")
    def both() -> str:
        login_user(User("alice"))
        logout_user()
        return ""

    browser = site.client()
    browser.get("/both")
    assert browser.get("/me").status_code == 401
    assert site.subjects == []


def test_a_session_that_is_permanent_stays_so_for_another_user(site: Site) -> None:
    @site.app.before_request
    def always() -> None:
        session.permanent = True

    browser = site.client()
    for id in ("alice", "bob"):
        (cookie,) = lines(browser.get(f"/login/{id}"))[0]
        assert "Max-Age=43200;" in cookie
    deleted, messages = lines(browser.get("/logout"))[0]
    assert "Max-Age=0;" in deleted
    assert "Max-Age=43200;" in messages


def test_a_failed_login_request_signs_nobody_in(site: Site) -> None:
    @site.app.get("/half")
    def half() -> str:
        login_user(User("alice"))
        raise ZeroDivisionError

    browser = site.client()
    assert lines(browser.get("/half"))[0] == []
    assert site.subjects == []


def test_a_form_is_not_the_session(site: Site) -> None:
    """Whatever a browser sends, the user id is what the application put in."""
    browser = site.client()
    browser.get("/put/cart")
    for name in ("_user_id", "session", "_id"):
        browser.set_cookie(name, "alice")
    assert browser.get("/me?_user_id=alice", data={"_user_id": "alice"}).status_code == 401
    browser.set_cookie("__Host-sid", str(token(browser, "__Host-anon")))
    assert browser.get("/me").status_code == 401


@pytest.mark.parametrize("subject", ["bob", None])
def test_a_user_id_that_is_not_the_subject_is_not_believed(site: Site, subject: str | None) -> None:
    """Another framework may have put it there, and a visitor's data moves along with a sign-in."""
    opened = site.sessions.open(None)
    opened.update(cart=1, _user_id="alice", _fresh=True, _remember="set")
    if subject is not None:
        opened.sign_in(subject)
    site.sessions.commit(opened)
    browser = site.client()
    browser.set_cookie("__Host-sid" if subject else "__Host-anon", of(opened))
    for path in ("/me", "/secret", "/confirm", "/me"):
        answer = browser.get(path)
        is_known = path == "/confirm" or (path == "/me" and subject is not None)
        assert answer.status_code == (200 if is_known else 401)
        assert "remember_token" not in str(answer.headers)
        if path == "/me" and is_known:
            assert json(answer)["_user_id"] == subject
    assert site.subjects == [subject]
    browser.get("/put/hat")
    assert json(browser.get("/data")).keys() >= {"cart", "hat"}
    stored = site.sessions.open(Token.parse(token(browser, "__Host-sid") or of(opened)))
    assert stored.get("_user_id") == subject, "the next save leaves the other one out"
    browser.get("/login/carol")
    assert json(browser.get("/me"))["_user_id"] == "carol"


@pytest.mark.parametrize("protection", ["basic", "strong", None])
def test_who_signed_in_elsewhere_is_known_and_logs_out_here(
    site: Site, protection: str | None
) -> None:
    """Fails when `logout_user` leaves the login of another framework alive, or nobody knows it."""
    vars(site.app)["login_manager"].session_protection = protection
    browser = site.client()
    log_in(browser, site.sessions, "alice")
    thief = copy(browser, site)
    assert json(browser.get("/me"))["_user_id"] == "alice"
    assert browser.get("/secret").status_code == 401, "it is no fresh login"
    assert site.kinds.count(Happened.CREATED) == 1
    browser.get("/put/hat")
    assert json(browser.get("/me"))["_user_id"] == "alice"
    browser.get("/logout")
    assert thief.get("/me").status_code == 401
    assert site.subjects == [None]


def test_a_planted_user_id_alone_ends_nothing(site: Site) -> None:
    """Hiding it is no edit, which would leave the session empty and end it."""
    browser = site.client()
    log_in(browser, site.sessions, "bob", {"_user_id": "alice"})
    assert json(browser.get("/data"))["_user_id"] == "bob"
    assert site.subjects == ["bob"]


def test_a_login_in_a_session_transaction_counts(site: Site) -> None:
    """As tests of applications do it."""
    browser = site.client()
    with browser.session_transaction() as opened:
        opened["_user_id"] = "alice"
        opened["_fresh"] = True
    assert browser.get("/me").status_code == 200
    assert site.subjects == ["alice"]


def test_a_clear_logs_out_who_signed_in_without_flask_login(site: Site) -> None:
    """Fails when a message, put in after it, keeps the session and its user alive."""
    browser = site.client()
    log_in(browser, site.sessions, "alice", {"cart": 1})
    thief = copy(browser, site)
    answer = browser.get("/clear")
    assert "__Host-sid=;" in answer.headers["Set-Cookie"]
    assert json(thief.get("/data")) == {}
    assert json(browser.get("/messages")) == ["bye"]
    assert "alice" not in site.subjects


def test_an_application_may_sign_in_without_flask_login(site: Site) -> None:
    @site.app.get("/own")
    def own() -> str:
        session_of().sign_in("carol")
        if "fail" in request.args:
            raise ZeroDivisionError
        return ""

    browser = site.client()
    browser.get("/login/alice")
    browser.get("/own?fail")
    assert site.subjects == ["alice"], "a sign-in that fails ends nothing"
    browser.get("/own")
    assert site.subjects == ["carol"]
    assert json(browser.get("/me"))["_user_id"] == "carol"


def test_a_response_that_needs_no_user_depends_on_none(site: Site) -> None:
    """Fails when Flask-Login's look after every request counts as one."""
    browser = site.client()
    browser.get("/login/alice")
    assert lines(browser.get("/hello")) == NOTHING
    site.store.is_away = True
    assert browser.get("/hello").status_code == 200
    answer = browser.get("/me")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.headers.getlist("Set-Cookie") == []
    site.store.is_away = False
    assert browser.get("/me").status_code == 200


def test_a_logout_that_cannot_be_stored_says_so_and_keeps_the_cookies(site: Site) -> None:
    browser = site.client()
    browser.get("/login/alice?remember")
    site.store.is_read_only = True
    answer = browser.get("/logout")
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (503, [])
    site.store.is_read_only = False
    assert browser.get("/me").status_code == 200


def test_a_login_that_cannot_be_stored_remembers_nobody(site: Site) -> None:
    browser = site.client()
    site.store.is_read_only = True
    answer = browser.get("/login/alice?remember")
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (503, [])


def test_a_set_user_id_of_none_is_a_logout(site: Site) -> None:
    @site.app.get("/none")
    def none() -> str:
        session["_user_id"] = None
        return ""

    @site.app.get("/delete")
    def delete() -> str:
        del session["_user_id"]
        session["left"] = "after"
        return ""

    @site.app.get("/replace")
    def replace() -> str:
        for key in list(session):
            dict[str, Any].pop(session_of(), key)
        return ""

    for path, left in (("/none", {"_user_id"}), ("/delete", {"left"}), ("/replace", set[str]())):
        browser = site.client()
        browser.get("/login/alice")
        browser.get(path)
        assert [subject for subject in site.subjects if subject] == []
        assert json(browser.get("/data")).keys() == left


def test_who_acts_as_a_user_is_that_user_to_it_and_then_themself(site: Site) -> None:
    """Fails when its own keys of before say who is there."""
    browser = site.client()
    browser.get("/login/admin")
    browser.get("/put/notes")
    browser.get("/as/alice")
    assert json(browser.get("/me"))["_user_id"] == "alice"
    assert "notes" not in json(browser.get("/me"))
    assert browser.get("/secret").status_code == 401, "nobody gave the password of alice"
    browser.get("/put/cart")
    assert site.subjects == ["alice"]
    browser.get("/back")
    me = json(browser.get("/me"))
    assert (me["_user_id"], "cart" in me) == ("admin", False)
    assert site.subjects == ["admin"]
    browser.get("/as/alice")
    browser.get("/logout")
    assert browser.get("/me").status_code == 401
