"""A doubted session is nobody's to Flask-Login and to Django too, until the user logs in again."""

from collections.abc import Generator
from typing import Any

import pytest
from django.contrib import auth
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path as url
from flask import Flask, session
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user

from coatcheck import Action, Binding, BlockingSessions, Client, Drift, MemoryStore, Policy, profile
from coatcheck.errors import ConfigurationError
from coatcheck.testing import Clock
from coatcheck.web.django import session_of as django_session
from coatcheck.web.flask import session_of
from tests.frameworks.django_site import Browser, User, site
from tests.frameworks.flask_site import Site, copy, json

POLICY = Policy(binding=Binding(step_up=3))
ELSEWHERE = {"User-Agent": "curl/8.14.1"}
AT_HOME = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"}


class Person(UserMixin):
    def __init__(self, id: str) -> None:
        self.id = id


def pages(app: Flask) -> None:
    LoginManager(app).user_loader(Person)

    @app.get("/login/<id>")
    def login(id: str) -> str:
        login_user(Person(id))
        return ""

    @app.get("/me")
    @login_required
    def me() -> dict[str, Any]:
        return {"user": current_user.id, "cart": session.get("cart")}

    @app.get("/data")
    def data() -> dict[str, Any]:
        doubt = session_of().doubt
        return {"data": dict(session), "whom": doubt and doubt.subject}

    @app.get("/put")
    def put() -> str:
        session["cart"] = "hat"
        return ""

    @app.get("/prove")
    def prove() -> str:
        session_of().step_up(1)
        return str(session.get("_user_id"))

    @app.get("/clear")
    def clear() -> str:
        session.clear()
        return ""


@pytest.fixture
def flask() -> Site:
    return Site(policy=POLICY, before=pages)


@pytest.fixture
def owner(flask: Site) -> FlaskClient:
    browser = flask.client()
    browser.get("/login/alice", headers=AT_HOME)
    browser.get("/put", headers=AT_HOME)
    return browser


def test_flask_login_knows_nobody_of_a_doubted_session(flask: Site, owner: FlaskClient) -> None:
    thief = copy(owner, flask)
    assert thief.get("/me", headers=ELSEWHERE).status_code == 401
    assert json(thief.get("/data", headers=ELSEWHERE)) == {"data": {}, "whom": "alice"}
    assert json(owner.get("/me", headers=AT_HOME)) == {"user": "alice", "cart": "hat"}
    thief.get("/login/alice", headers=ELSEWHERE)
    assert json(thief.get("/me", headers=ELSEWHERE)) == {"user": "alice", "cart": "hat"}
    assert owner.get("/me", headers=AT_HOME).status_code == 401
    assert flask.subjects == ["alice"]


def test_flask_login_as_another_user_gets_nothing_of_it(flask: Site, owner: FlaskClient) -> None:
    thief = copy(owner, flask)
    thief.get("/login/mallory", headers=ELSEWHERE)
    assert json(thief.get("/me", headers=ELSEWHERE)) == {"user": "mallory", "cart": None}
    assert flask.subjects == ["mallory"]


def test_who_clears_a_doubted_session_ends_it(flask: Site, owner: FlaskClient) -> None:
    """Many applications log out that way."""
    copy(owner, flask).get("/clear", headers=ELSEWHERE)
    assert flask.subjects == []


def test_a_planted_user_is_not_proved_along_with_the_real_one_in_flask() -> None:
    """Fails when what is withheld is not looked through as what is shown is."""
    clock, store = Clock(), MemoryStore()
    sessions = BlockingSessions(store, policy=POLICY, clock=clock)
    elsewhere = sessions.open(None, client=Client("127.0.0.1", "Firefox on Linux"))
    elsewhere.sign_in("alice")
    elsewhere["_user_id"] = "bob"
    token = sessions.commit(elsewhere).token
    assert token is not None
    flask = Site(policy=POLICY, before=pages, store=store, clock=clock)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    browser = flask.client()
    browser.set_cookie("__Host-sid", token.reveal())
    assert browser.get("/prove", headers=ELSEWHERE).text == "None"
    assert json(browser.get("/me", headers=ELSEWHERE))["user"] == "alice"
    assert flask.subjects == ["alice"]


# Django


def login(request: HttpRequest) -> HttpResponse:
    auth.login(request, User.objects.get(username=request.META["QUERY_STRING"]))
    return HttpResponse()


def put(request: HttpRequest) -> HttpResponse:
    request.session["cart"] = "hat"
    return HttpResponse()


def mine(request: HttpRequest) -> HttpResponse:
    cart = request.session.get("cart")
    assert request.session.load().get("cart") == cart, "what is withheld is not loaded either"
    return JsonResponse([str(request.user), cart], safe=False)


def prove(request: HttpRequest) -> HttpResponse:
    django_session(request).step_up(1)
    return JsonResponse([str(request.user), request.session.get(auth.SESSION_KEY)], safe=False)


def leave(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponse()


def expiring(request: HttpRequest) -> HttpResponse:
    request.session.set_expiry(300)
    return HttpResponse()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Generator[BlockingSessions]:
    sessions = BlockingSessions(MemoryStore(), policy=POLICY, clock=clock)
    views = (login, put, mine, prove, leave, expiring)
    with site(*[url(v.__name__, v) for v in views], COATCHECK={"sessions": sessions}):
        yield sessions


@pytest.fixture
def alice() -> Generator[str]:
    user = User.objects.create_user("alice")
    User.objects.create_user("bob")
    yield str(user.pk)
    User.objects.all().delete()


@pytest.fixture
def browser(sessions: BlockingSessions, alice: str) -> Browser:
    browser = Browser(headers=AT_HOME)
    browser.get("/login?alice")
    browser.get("/put")
    return browser


def thief_of(browser: Browser) -> Browser:
    thief = Browser(headers=ELSEWHERE)
    thief.cookies["__Host-sid"] = browser.cookies["__Host-sid"].value
    return thief


def test_django_knows_nobody_of_a_doubted_session(
    sessions: BlockingSessions, browser: Browser, alice: str
) -> None:
    thief = thief_of(browser)
    assert thief.get("/mine").json() == ["AnonymousUser", None]
    assert browser.get("/mine").json() == ["alice", "hat"]
    thief.get("/login?alice")
    assert thief.get("/mine").json() == ["alice", "hat"]
    assert browser.get("/mine").json() == ["AnonymousUser", None]
    assert [info.client.agent for info in sessions.list(alice)] == ["curl"]


def test_another_user_of_django_gets_nothing_of_it(
    sessions: BlockingSessions, browser: Browser, alice: str
) -> None:
    thief = thief_of(browser)
    thief.get("/login?bob")
    assert thief.get("/mine").json() == ["bob", None]
    assert sessions.list(alice) == []


def test_a_logout_of_django_ends_it(
    sessions: BlockingSessions, browser: Browser, alice: str
) -> None:
    thief_of(browser).get("/leave")
    assert sessions.list(alice) == []


def test_what_is_over_for_django_is_not_brought_back(
    sessions: BlockingSessions, browser: Browser, clock: Clock, alice: str
) -> None:
    """By `set_expiry`, which lets a session end sooner than the policy."""
    browser.get("/expiring")
    clock.move(minutes=6)
    thief = thief_of(browser)
    thief.get("/mine")
    assert sessions.list(alice) == []


def test_a_planted_user_is_not_proved_along_with_the_real_one_in_django(
    sessions: BlockingSessions, alice: str
) -> None:
    """Fails when what is withheld is not looked through as what is shown is."""
    elsewhere = sessions.open(None, client=Client("127.0.0.1", "Firefox on Linux"))
    elsewhere.sign_in(alice)
    elsewhere[auth.SESSION_KEY] = str(User.objects.get(username="bob").pk)
    elsewhere[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    token = sessions.commit(elsewhere).token
    assert token is not None
    browser = Browser(headers=ELSEWHERE)
    browser.cookies["__Host-sid"] = token.reveal()
    assert browser.get("/prove").json()[0] != "bob"
    assert [info.subject for info in sessions.page()[0]] == [alice]


# The bank, where the framework has cookie settings of its own


def test_the_bank_in_flask_asks_for_its_cookie_setting() -> None:
    with pytest.raises(ConfigurationError, match="profile bank"):
        Site(policy=profile("bank"), before=pages)
    flask = Site({"SESSION_COOKIE_SAMESITE": "Strict"}, policy=profile("bank"), before=pages)
    browser = flask.client()
    line = browser.get("/login/alice", headers=AT_HOME).headers["Set-Cookie"]
    assert line.endswith("SameSite=Strict")
    assert profile("bank").binding(Drift.BROWSER | Drift.SYSTEM | Drift.PLATFORM) is Action.STEP_UP
