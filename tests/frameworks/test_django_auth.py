"""Django's own logins, its admin and its messages; users who signed in by another framework."""

from collections.abc import Generator
from functools import partial
from typing import Any

import pytest
from django.contrib import auth, messages
from django.core.checks import run_checks
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import AsyncClient, Client
from django.urls import path

from coatcheck import BlockingSessions, MemoryStore, Token
from coatcheck.web.django import asession_of, session_of
from tests.frameworks.django_site import Browser, User, site


@pytest.fixture
def sessions() -> Generator[BlockingSessions]:
    sessions = BlockingSessions(MemoryStore())
    pages = [path("async/" + view.__name__, view) for view in (amine, alogin, alogout, anoted)]
    pages += [path(view.__name__, view) for view in (login, put, mine, leave, change, say)]
    pages += [path(view.__name__, view) for view in (act_as, back, noted)]
    with site(
        *pages,
        COATCHECK={"sessions": sessions},
        SESSION_COOKIE_NAME="__Host-sid",  # where Django's test client puts its logins
    ):
        yield sessions


@pytest.fixture
def users() -> Generator[tuple[User, User]]:
    make = User.objects.create_user
    alice = make("alice", password="wonder", is_staff=True, is_superuser=True)
    yield alice, make("bob", password="builder")
    User.objects.all().delete()


def login(request: HttpRequest) -> HttpResponse:
    name, password = request.META["QUERY_STRING"].split(":")
    user = auth.authenticate(request, username=name, password=password)
    if user is None:
        return HttpResponse(status=403)
    auth.login(request, user)
    return JsonResponse(session_of(request).subject, safe=False)


def noted(request: HttpRequest) -> HttpResponse:
    """Log in, and give away under which key."""
    keys: list[str | None] = []
    note = partial(_note, keys)
    auth.user_logged_in.connect(note)
    login(request)
    auth.user_logged_in.disconnect(note)
    request.session.set_expiry(600)
    return JsonResponse([*keys, request.session.session_key], safe=False)


def _note(keys: list[str | None], request: HttpRequest, **_: object) -> None:
    keys.append(request.session.session_key)


async def anoted(request: HttpRequest) -> HttpResponse:
    await alogin(request)
    with pytest.raises(SynchronousOnlyOperation, match="asave"):
        assert request.session.session_key
    assert not request.session.is_empty()
    await request.session.asave()
    return HttpResponse(request.session.session_key)


def put(request: HttpRequest) -> HttpResponse:
    request.session.setdefault("cart", {})[request.META["QUERY_STRING"]] = 1
    return HttpResponse()


def mine(request: HttpRequest) -> HttpResponse:
    cart = request.session.get("cart")
    return JsonResponse([str(request.user), cart], safe=False)


def leave(request: HttpRequest) -> HttpResponse:
    auth.logout(request)
    return HttpResponse()


def change(request: HttpRequest) -> HttpResponse:
    assert isinstance(request.user, User)
    request.user.set_password(request.META["QUERY_STRING"])
    request.user.save()
    auth.update_session_auth_hash(request, request.user)
    return HttpResponse()


def act_as(request: HttpRequest) -> HttpResponse:
    session_of(request).impersonate(request.META["QUERY_STRING"])
    return HttpResponse()


def back(request: HttpRequest) -> HttpResponse:
    session_of(request).stop_impersonating()
    return HttpResponse()


def say(request: HttpRequest) -> HttpResponse:
    said = [str(message) for message in messages.get_messages(request)]
    messages.info(request, "hello")
    return JsonResponse(said, safe=False)


async def amine(request: HttpRequest) -> HttpResponse:
    user = await request.auser()
    return JsonResponse([str(user), await request.session.aget("cart")], safe=False)


async def alogin(request: HttpRequest) -> HttpResponse:
    user = await auth.aauthenticate(request, username="alice", password="wonder")
    assert user is not None
    await auth.alogin(request, user)
    return JsonResponse((await asession_of(request)).subject, safe=False)


async def alogout(request: HttpRequest) -> HttpResponse:
    await auth.alogout(request)
    return HttpResponse()


def test_a_login_takes_the_cart_along_and_is_listed(sessions: Any, users: Any) -> None:
    browser = Browser()
    browser.get("/put?hat")
    visitor = browser.tokens["__Host-anon"]
    assert browser.get("/login?alice:wrong").status_code == 403
    assert browser.get("/login?alice:wonder").json() == str(users[0].pk)
    assert browser.get("/mine").json() == ["alice", {"hat": 1}]
    assert [info.subject for info in sessions.list(str(users[0].pk))] == [str(users[0].pk)]
    assert sessions.count() == 1, "the visitor's is gone"
    assert sessions.open(Token.parse(visitor)).id is None
    assert sessions.end_all(str(users[0].pk)) == 1
    assert browser.get("/mine").json() == ["AnonymousUser", None]


def test_the_key_after_a_login_is_the_one_that_is_handed_out(sessions: Any, users: Any) -> None:
    """Fails when who notes the key, to end the session by it, notes one that opens nothing."""
    browser = Browser()
    for page in ("/put?hat", "/login?alice:wonder", "/login?bob:builder"):
        browser.get(page)  # nobody, a visitor, the same user, another one
        said = browser.get("/noted?alice:wonder").json()
        assert said == [browser.tokens["__Host-sid"]] * 2
        assert browser.get("/mine").json()[0] == "alice"
    assert Browser().get("/noted?alice:wonder").json()[0]
    assert sessions.count() == 2


async def test_in_coroutines_such_a_key_is_there_once_it_is_saved(
    sessions: Any, users: Any
) -> None:
    browser = AsyncClient()
    said = await browser.get("/async/anoted", secure=True)
    assert said.content.decode() == browser.cookies["__Host-sid"].value


def test_another_user_starts_with_nothing_and_ends_the_first(sessions: Any, users: Any) -> None:
    browser = Browser()
    browser.get("/login?alice:wonder")
    browser.get("/put?hat")
    browser.get("/login?bob:builder")
    assert browser.get("/mine").json() == ["bob", None]
    assert sessions.list(str(users[0].pk)) == []
    assert sessions.count() == 1


def test_who_acts_as_a_user_is_that_user_and_then_themself(sessions: Any, users: Any) -> None:
    """Fails when Django's own keys of before say who is there."""
    alice, bob = users
    browser = Browser()
    browser.get("/login?alice:wonder")
    browser.get("/put?hat")
    browser.get(f"/act_as?{bob.pk}")
    assert browser.get("/mine").json() == ["bob", None]
    browser.get("/put?scarf")
    assert [info.subject for info in sessions.list(str(bob.pk))] == [str(bob.pk)]
    browser.get("/back")
    assert browser.get("/mine").json() == ["alice", None]
    assert sessions.list(str(bob.pk)) == []
    assert [info.subject for info in sessions.list(str(alice.pk))] == [str(alice.pk)]


def test_a_login_again_replaces_the_token(sessions: Any, users: Any) -> None:
    """Fails when Django's own rule holds, which lets the token be when the user is the same."""
    browser = Browser()
    browser.get("/login?alice:wonder")
    browser.get("/put?hat")
    before = browser.tokens["__Host-sid"]
    browser.get("/login?alice:wonder")
    assert sessions.open(Token.parse(before)).id is None
    assert browser.get("/mine").json() == ["alice", {"hat": 1}]


def test_a_logout_ends_every_copy(sessions: Any, users: Any) -> None:
    browser, thief = Browser(), Browser()
    browser.get("/login?alice:wonder")
    thief.cookies["__Host-sid"] = browser.tokens["__Host-sid"]
    assert thief.get("/mine").json()[0] == "alice"
    browser.get("/leave")
    assert "__Host-sid" not in browser.tokens
    assert thief.get("/mine").json()[0] == "AnonymousUser"
    assert sessions.count() == 0


def test_a_login_during_an_end_of_all_is_refused(sessions: Any, users: Any) -> None:
    """Fails when the request counts from its first look at the session, after the password."""

    def late(request: HttpRequest) -> HttpResponse:
        user = auth.authenticate(request, username="alice", password="wonder")
        assert user is not None
        sessions.end_all(str(user.pk))
        auth.login(request, user)
        return HttpResponse()

    with site(path("late", late)):
        browser = Browser()
        assert browser.get("/late").status_code == 401
        assert "__Host-sid" not in browser.tokens
    assert sessions.count() == 0


def test_of_two_logins_at_once_none_is_lost(sessions: Any, users: Any) -> None:
    """Fails when the new key that begins a login is refused: a login never loses."""

    def late(request: HttpRequest) -> HttpResponse:
        assert request.session["cart"] == {"hat": 1}
        other.get("/login?alice:wonder")
        return login(request)

    browser, other = Browser(), Browser()
    browser.get("/put?hat")
    other.cookies["__Host-anon"] = browser.tokens["__Host-anon"]
    with site(path("late", late), path("login", login), path("mine", mine)):
        assert browser.get("/late?alice:wonder").status_code == 200
        assert browser.get("/mine").json()[0] == "alice"
        assert other.get("/mine").json() == ["alice", {"hat": 1}]
    assert len(sessions.list(str(users[0].pk))) == 2


def test_a_password_change_logs_the_others_out(sessions: Any, users: Any) -> None:
    browser, other = Browser(), Browser()
    for each in (browser, other):
        each.get("/login?alice:wonder")
    old = browser.tokens["__Host-sid"]
    browser.get("/change?land")
    assert browser.get("/mine").json()[0] == "alice"
    assert sessions.open(Token.parse(old)).id is None, "a new token"
    assert other.get("/mine").json()[0] == "AnonymousUser"
    assert sessions.count() == 1


def test_the_admin(sessions: Any, users: Any) -> None:
    browser = Browser(enforce_csrf_checks=True)
    page = browser.get("/admin/", follow=True)
    assert page.redirect_chain == [("/admin/login/?next=/admin/", 302)]
    form = {
        "username": "alice",
        "password": "wonder",
        "csrfmiddlewaretoken": browser.cookies["csrftoken"].value,
        "next": "/admin/",
    }
    page = browser.post("/admin/login/", form, HTTP_REFERER="https://testserver/", follow=True)
    assert page.status_code == 200
    assert b"Site administration" in page.content
    token = browser.cookies["csrftoken"].value
    user = {"csrfmiddlewaretoken": token, "username": "carol", "usable_password": "true",
            "password1": "in-the-attic-7", "password2": "in-the-attic-7"}  # fmt: skip
    page = browser.post(
        "/admin/auth/user/add/", user, HTTP_REFERER="https://testserver/", follow=True
    )
    assert b"was added successfully" in page.content, "a message over a redirect"
    page = browser.post(
        "/admin/logout/", {"csrfmiddlewaretoken": token}, HTTP_REFERER="https://testserver/"
    )
    assert page.status_code == 200
    assert sessions.count() == 0


def test_the_systems_checks_are_content(sessions: Any) -> None:
    assert run_checks() == []


def test_messages(sessions: Any) -> None:
    browser = Browser()
    assert browser.get("/say").json() == []
    assert browser.get("/say").json() == ["hello"]


def test_djangos_test_client(sessions: Any, users: Any) -> None:
    browser = Browser()
    browser.force_login(users[0])
    assert browser.get("/mine").json()[0] == "alice"
    assert len(sessions.list(str(users[0].pk))) == 1
    session = browser.session
    session["cart"] = {"coat": 1}
    session.save()
    assert browser.get("/mine").json() == ["alice", {"coat": 1}]
    browser.get("/put?hat")
    assert browser.session["cart"] == {"coat": 1, "hat": 1}
    browser.logout()
    assert browser.get("/mine").json() == ["AnonymousUser", None]
    assert browser.login(username="bob", password="builder")
    assert browser.get("/mine").json()[0] == "bob"


def test_djangos_test_client_over_plain_http(users: Any) -> None:
    """As the suites of sites do that come from Django's own sessions."""
    settings = {"sessions": BlockingSessions(MemoryStore()), "development": True}
    with site(path("mine", mine), COATCHECK=settings, SESSION_COOKIE_NAME="sid"):
        client = Client()
        client.force_login(users[0])
        assert client.get("/mine").json()[0] == "alice"
        assert client.session["_auth_user_id"] == str(users[0].pk)
        client.logout()
        assert client.get("/mine").json()[0] == "AnonymousUser"


async def test_djangos_client_for_asgi(sessions: Any, users: Any) -> None:
    client = AsyncClient()
    page = await client.get("/async/amine", secure=True)
    assert page.json() == ["AnonymousUser", None]
    page = await client.get("/async/alogin", secure=True)
    assert page.json() == str(users[0].pk)
    page = await client.get("/mine", secure=True)  # in a thread
    assert page.json() == ["alice", None]
    page = await client.get("/async/amine", secure=True)
    assert page.json() == ["alice", None]
    await client.get("/async/alogout", secure=True)
    assert sessions.count() == 0
    await client.aforce_login(users[1])
    page = await client.get("/async/amine", secure=True)
    assert page.json() == ["bob", None]


def sign_in_elsewhere(sessions: BlockingSessions, browser: Browser, subject: str) -> None:
    """Do what a page of another framework does."""
    token = browser.tokens.get("__Host-sid")
    session = sessions.open(Token.parse(token) if token else None)
    session.sign_in(subject)
    found = sessions.commit(session).token
    assert found is not None
    browser.cookies["__Host-sid"] = found.reveal()


def test_who_signed_in_by_another_framework_is_known(sessions: Any, users: Any) -> None:
    browser = Browser()
    sign_in_elsewhere(sessions, browser, str(users[0].pk))
    for _ in range(2):
        assert browser.get("/mine").json()[0] == "alice"
    browser.get("/change?land")
    assert browser.get("/mine").json()[0] == "alice"
    browser.get("/leave")
    assert sessions.count() == 0


async def test_and_in_coroutines(sessions: Any, users: Any) -> None:
    browser, client = Browser(), AsyncClient()
    sign_in_elsewhere(sessions, browser, str(users[1].pk))
    client.cookies["__Host-sid"] = browser.tokens["__Host-sid"]
    for _ in range(2):
        page = await client.get("/async/amine", secure=True)
        assert page.json()[0] == "bob"


def test_a_changed_password_ends_the_other_frameworks_login_too(sessions: Any, users: Any) -> None:
    """Fails when the hash is not remembered, or written anew with each request."""
    browser = Browser()
    sign_in_elsewhere(sessions, browser, str(users[0].pk))
    assert browser.get("/mine").json()[0] == "alice"
    users[0].set_password("land")
    users[0].save()
    assert browser.get("/mine").json()[0] == "AnonymousUser"
    assert sessions.count() == 0


def test_who_signs_in_again_with_the_new_password_is_known(sessions: Any, users: Any) -> None:
    """Fails when the hash outlives the sign-in that it was remembered for."""
    browser = Browser()
    sign_in_elsewhere(sessions, browser, str(users[0].pk))
    assert browser.get("/mine").json()[0] == "alice"
    users[0].set_password("land")
    users[0].save()
    sign_in_elsewhere(sessions, browser, str(users[0].pk))
    assert browser.get("/mine").json()[0] == "alice"


@pytest.mark.parametrize("subject", ["alice", "-1", "999999"])
def test_a_subject_who_is_no_user_is_nobody(sessions: Any, users: Any, subject: str) -> None:
    browser = Browser()
    sign_in_elsewhere(sessions, browser, subject)
    assert browser.get("/mine").json()[0] == "AnonymousUser"
    assert sessions.count() == 1


@pytest.mark.parametrize("spelled", ["0{}", " {}", "\N{FULLWIDTH DIGIT ZERO}{}"])
async def test_a_subject_that_only_reads_like_a_users_key_is_nobody(
    sessions: Any, users: Any, spelled: str
) -> None:
    """`end_all` of the user does not end its sessions. Fails when the text is not compared."""
    browser, client = Browser(), AsyncClient()
    sign_in_elsewhere(sessions, browser, spelled.format(users[0].pk))
    client.cookies["__Host-sid"] = browser.tokens["__Host-sid"]
    assert (await client.get("/mine", secure=True)).json()[0] == "AnonymousUser"
    assert (await client.get("/async/amine", secure=True)).json()[0] == "AnonymousUser"


def test_an_inactive_user_is_nobody(sessions: Any, users: Any) -> None:
    users[0].is_active = False
    users[0].save()
    browser = Browser()
    sign_in_elsewhere(sessions, browser, str(users[0].pk))
    assert browser.get("/mine").json()[0] == "AnonymousUser"


def test_data_logs_nobody_in(sessions: Any, users: Any) -> None:
    """Fails when Django's keys are believed whoever's session it is."""
    browser = Browser()
    browser.get("/login?alice:wonder")
    stolen = dict(browser.session.items())
    for subject in (None, str(users[1].pk)):
        session = sessions.open(None)
        session.update(stolen)
        if subject:
            session.sign_in(subject)
        browser.cookies.clear()
        browser.cookies["__Host-sid"] = sessions.commit(session).token.reveal()
        assert browser.get("/mine").json()[0] == ("bob" if subject else "AnonymousUser")


def test_a_planted_key_alone_ends_nothing(sessions: Any, users: Any) -> None:
    """Fails when the key is taken out as an edit, which leaves the session empty and ends it."""
    session = sessions.open(None)
    session.update({auth.SESSION_KEY: str(users[0].pk)})
    session.sign_in("a subject of another framework")
    browser = Browser()
    browser.cookies["__Host-sid"] = sessions.commit(session).token.reveal()
    assert browser.get("/mine").json() == ["AnonymousUser", None]
    assert sessions.count("a subject of another framework") == 1
    browser.get("/put?hat")
    stored = sessions.open(Token.parse(browser.tokens["__Host-sid"]))
    assert dict(stored) == {"cart": {"hat": 1}}, "the next save leaves it out"


def test_a_login_past_the_store_is_listed_as_well(sessions: Any, users: Any) -> None:
    """Fails when only `request.session[...] = ` signs in."""
    key = str(users[0].pk)

    def raw(request: HttpRequest) -> HttpResponse:
        request.session.update({auth.SESSION_KEY: key})
        return HttpResponse()

    with site(path("raw", raw)):
        Browser().get("/raw")
    assert len(sessions.list(key)) == 1
